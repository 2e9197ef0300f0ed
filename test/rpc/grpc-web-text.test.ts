// Proves that application/grpc-web-text says in base64 what application/grpc-web+proto says in bytes: the same calls
// get the same answers, however the text of a request is cut into pieces and padded; and that what is no base64 is
// refused, not skipped. Answers are decoded here, four characters at a time.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { RpcServer } from '../../functions/rpc/index.ts';
import { framesOf } from '../support/frames.ts';
import { partsOf } from './differential/answer.ts';
import { behaviourCases } from './differential/behaviour.ts';
import { maxMessageBytes } from './differential/case.ts';
import { Dialect } from './differential/dialect.ts';
import { encodingCases } from './differential/encoding.ts';
import { framingCases } from './differential/framing.ts';
import { type Connections, connect, rawCall } from './differential/raw-call.ts';
import { asBytes, asText, decode, encode } from './differential/web-text.ts';
import { echoService } from './echo-service.ts';
import { Echo } from './gen/echo_pb.js';

for (const http of ['2', '1.1'] as const) {
  describe(`grpc-web-text over HTTP/${http}`, { concurrency: 8 }, () => {
    const dialect = new Dialect({ protocol: 'grpc-web', http });
    const observed = new Map<string, string>();
    const server = new RpcServer({
      routes: (router) => router.service(Echo, echoService(observed)),
      limits: { maxMessageBytes },
    });
    let connections: Connections;
    before(async () => {
      const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
      connections = connect(http, port);
    });
    after(async () => {
      connections.close();
      await server.close();
    });

    const cases = [...behaviourCases(dialect), ...encodingCases(dialect), ...framingCases(dialect)];
    for (const { name, call } of cases) {
      // What waits for messages would have to decode them; what a reset comes after is chance.
      if (call.body.some((step) => typeof step === 'number' || step === 'reset')) continue;
      it(name, { timeout: 20_000 }, async () => {
        const [text, bytes] = await Promise.all([
          rawCall(connections, asText(call)),
          rawCall(connections, call),
        ]);
        assert.deepEqual(partsOf(asBytes(text)), partsOf(bytes));
      });
    }

    const request = { text: 'twelve bytes', count: 1 };
    const whole = dialect.message('Unary', request);
    /** The status of a call with this text as its body, in these pieces, and what came back. */
    const send = async (...pieces: string[]) => {
      const body = pieces.map((it) => Buffer.from(it));
      const call = dialect.raw('Unary', body, { 'content-type': 'application/grpc-web-text' });
      const { status, message, messages } = partsOf(asBytes(await rawCall(connections, call)));
      return status === '0' ? messages : `${status} ${message}`;
    };
    let answer: unknown;
    before(async () => {
      answer = partsOf(await rawCall(connections, dialect.one('Unary', request))).messages;
    });

    it('reads a request that is cut in two at every place', async () => {
      const text = encode(whole).toString();
      for (let at = 1; at < text.length; at++) {
        assert.deepEqual(await send(text.slice(0, at), text.slice(at)), answer, `cut at ${at}`);
      }
    });

    it('reads segments that are padded each for itself, in pieces of any size', async () => {
      const cuts = fc.array(fc.nat(whole.length), { maxLength: 8 });
      await fc.assert(
        fc.asyncProperty(cuts, fc.integer({ min: 1, max: 40 }), async (places, size) => {
          const ends = [...places.sort((a, b) => a - b), whole.length];
          const text = ends.map((end, index) => encode(whole.subarray(ends[index - 1] ?? 0, end))).join('');
          assert.deepEqual(await send(...(text.match(new RegExp(`.{1,${size}}`, 'g')) ?? [])), answer);
        }),
        { numRuns: 60 },
      );
    });

    it('reads a text that ends without its padding', async () => {
      for (const text of ['a', 'ab', 'abc']) {
        const unpadded = encode(dialect.message('Unary', { text })).toString().replace(/=+$/, '');
        assert.deepEqual(await send(unpadded), [await only({ text })]);
      }
    });

    it('refuses what is no base64, and half a message', async () => {
      const text = encode(whole).toString();
      const unreadable = '3 the request is not a valid message';
      for (const broken of ['!', '\n', ' ', '=', '====', 'ü']) {
        for (const at of [0, 1, 4, 7, text.length]) {
          const body = text.slice(0, at) + broken + text.slice(at);
          assert.equal(await send(body), unreadable, JSON.stringify(body));
        }
      }
      assert.equal(await send(`${text}A`), unreadable);
      // Up to the last group but one: the message lacks bytes, and none is made up for them.
      const half = '3 the request ended in the middle of a message';
      for (let bytes = 1; bytes < whole.length; bytes++) {
        const padded = encode(whole.subarray(0, bytes)).toString();
        assert.equal(await send(padded), half, `${bytes} bytes`);
        assert.equal(await send(padded.replace(/=+$/, '')), half, `${bytes} bytes, unpadded`);
      }
      assert.equal(await send(''), '12 the method takes one request message, none came');
    });

    it('sends what can be decoded before the response has ended', async () => {
      const call = asText(dialect.one('ServerStream', { count: 1_000_000 }));
      const exchange = connections.request(call);
      exchange.read();
      for (const step of call.body) if (Buffer.isBuffer(step)) exchange.request.write(step);
      exchange.request.end();
      const messages = (body: Buffer) =>
        framesOf(decode(body.toString('latin1', 0, body.length - (body.length % 4))));
      await exchange.until((body) => messages(body).length >= 3);
      exchange.cancel();
      await exchange.closed;
      assert.ok(messages(exchange.body).length >= 3);
      assert.ok(messages(exchange.body).every(({ flags }) => flags === 0));
    });

    async function only(it: { text: string }) {
      const { messages } = partsOf(
        await rawCall(connections, dialect.raw('Unary', [dialect.message('Unary', it)])),
      );
      assert.ok(Array.isArray(messages));
      return messages[0];
    }
  });
}
