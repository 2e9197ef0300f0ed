// Each call counts its messages and their bytes, the same in every protocol: without frames, as they were compressed,
// and within the process without bytes, since no message becomes any.
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { create, toBinary } from '@bufbuild/protobuf';
import { type Client, Code, createClient } from '@connectrpc/connect';
import { compressionGzip } from '@connectrpc/connect-node';
import type { CallRecord } from '../../../functions/rpc/index.ts';
import { all, endsWith } from '../../support/outcome.ts';
import type { Serving } from '../../support/server.ts';
import { nameOf, wires } from '../../support/transports.ts';
import { echoOf, serve } from '../echo.ts';
import { echoService } from '../echo-service.ts';
import { Echo, EchoRequestSchema, EchoResponseSchema } from '../gen/echo_pb.js';

type Counts = [receivedMessages: number, receivedBytes: number, sentMessages: number, sentBytes: number];

/** Serves Echo; `counts` are those of the calls that have ended. */
async function watch(t: TestContext, keepsMessages = false): Promise<{ serving: Serving; counts: Counts[] }> {
  const counts: Counts[] = [];
  const observer = {
    ended({ receivedMessages, receivedBytes, sentMessages, sentBytes }: CallRecord) {
      counts.push([receivedMessages, receivedBytes, sentMessages, sentBytes]);
    },
  };
  const serving = await serve(t, echoService(new Map()), {
    keepsMessages,
    telemetry: { observers: [observer] },
  });
  return { serving, counts };
}

const requestBytes = (text: string, count = 0) =>
  toBinary(EchoRequestSchema, create(EchoRequestSchema, { text, count })).length;
const responseBytes = (text: string, index = 0) =>
  toBinary(EchoResponseSchema, create(EchoResponseSchema, { text, index })).length;

/** Calls a method of each kind, and says what must be counted. */
async function callAll(echo: Client<typeof Echo>, takesBidi: boolean): Promise<Counts[]> {
  async function* requests() {
    yield { text: 'first', count: 1 };
    yield { text: 'second', count: 2 };
  }
  const expected: Counts[] = [];
  await echo.unary({ text: 'hello' });
  expected.push([1, requestBytes('hello'), 1, responseBytes('hello')]);
  await all(echo.serverStream({ text: 'many', count: 100 }));
  const manyBytes = Array.from({ length: 100 }, (_, index) => responseBytes('many', index));
  expected.push([1, requestBytes('many', 100), 100, manyBytes.reduce((sum, it) => sum + it)]);
  await echo.clientStream(requests());
  const bothBytes = requestBytes('first', 1) + requestBytes('second', 2);
  expected.push([2, bothBytes, 1, responseBytes('first second', 2)]);
  if (takesBidi) {
    await all(echo.bidi(requests()));
    const answers = responseBytes('first', 0) + responseBytes('second', 1) + responseBytes('second', 2);
    expected.push([2, bothBytes, 3, answers]);
  }
  await endsWith(
    Code.NotFound,
    all(echo.serverStream({ text: 'x', count: 2, failure: { code: Code.NotFound } })),
  );
  const failing = create(EchoRequestSchema, { text: 'x', count: 2, failure: { code: Code.NotFound } });
  const failingBytes = toBinary(EchoRequestSchema, failing).length;
  expected.push([1, failingBytes, 2, responseBytes('x', 0) + responseBytes('x', 1)]);
  return expected;
}

describe('messages and bytes are counted', () => {
  for (const wire of wires) {
    it(`by ${nameOf(wire)}`, async (t) => {
      const { serving, counts } = await watch(t);
      const expected = await callAll(echoOf(serving, wire), wire.http === '2');
      assert.deepEqual(counts, expected);
    });
  }

  it('where messages are serialized together', async (t) => {
    const { serving, counts } = await watch(t, true);
    const expected = await callAll(echoOf(serving, { protocol: 'grpc', http: '2' }), true);
    assert.deepEqual(counts, expected);
  });

  it('within the process, without bytes', async (t) => {
    const { serving, counts } = await watch(t);
    const expected = await callAll(createClient(Echo, serving.server.local), true);
    assert.deepEqual(
      counts,
      expected.map(([received, , sent]) => [received, 0, sent, 0]),
    );
  });

  it('as they were compressed', async (t) => {
    const { serving, counts } = await watch(t);
    const options = { sendCompression: compressionGzip, acceptCompression: [compressionGzip] };
    const text = 'a'.repeat(100_000);
    for (const wire of wires) await echoOf(serving, wire, options).unary({ text });
    for (const [receivedMessages, receivedBytes, sentMessages, sentBytes] of counts) {
      assert.deepEqual([receivedMessages, sentMessages], [1, 1]);
      for (const bytes of [receivedBytes, sentBytes]) assert.ok(bytes > 0 && bytes < 1_000, `${bytes}`);
    }
    assert.equal(counts.length, wires.length);
  });

  it('of a message in the URL', async (t) => {
    const { serving, counts } = await watch(t);
    const path = '/test.echo.v1.Echo/Get?encoding=json&message=%7B%22text%22%3A%22a%22%7D';
    assert.equal((await fetch(`${serving.url}${path}`)).status, 200);
    assert.deepEqual(counts, [[1, '{"text":"a"}'.length, 1, '{"text":"a"}'.length]]);
  });
});
