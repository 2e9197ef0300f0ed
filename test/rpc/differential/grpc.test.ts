// Proves that the gRPC fast path is the same protocol as connect-node's own: a table of calls goes to both as raw
// HTTP/2, and everything that a client sees must be equal, or differ as the table explains. Both serve one
// implementation; everything runs once for each way that a call may take through our server.
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { after, describe, it } from 'node:test';
import type { Interceptor } from '@connectrpc/connect';
import { compressionGzip } from '@connectrpc/connect-node';
import { RpcServer } from '../../../functions/rpc/server.ts';
import { startStockServer } from '../../support/stock-server.ts';
import { echoService, type Observed } from '../echo-service.ts';
import { Echo } from '../gen/echo_pb.js';
import { behaviourCases } from './behaviour.ts';
import { type Case, maxMessageBytes, type Part } from './case.ts';
import { type GrpcAnswer, rawCall } from './raw-call.ts';
import { wireCases } from './wire.ts';

/** Of both servers, in both directions. */
const limits = { maxMessageBytes };
const pass: Interceptor = (next) => (request) => next(request);

const cases = [...behaviourCases, ...wireCases];

/** The ways that calls take through our server. */
const ways = [
  { name: 'plain', interceptors: [] },
  { name: 'with an interceptor', interceptors: [pass] },
  { name: 'with messages that are kept', interceptors: [], keepsMessages: true },
];

for (const { name, ...options } of ways) {
  describe(`ours and stock, ${name}`, async () => {
    const [ours, stock] = [new Map<string, string>(), new Map<string, string>()];
    const server = new RpcServer({
      routes: (router) => router.service(Echo, echoService(ours)),
      limits,
      ...options,
    });
    const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
    const stockServer = await startStockServer({
      routes: (router) => router.service(Echo, echoService(stock)),
      acceptCompression: [compressionGzip],
      readMaxBytes: maxMessageBytes,
      writeMaxBytes: maxMessageBytes,
      interceptors: options.interceptors,
    });
    const [ourSession, stockSession] = [port, stockServer.port].map((it) =>
      http2.connect(`http://127.0.0.1:${it}`),
    );
    assert.ok(ourSession && stockSession);
    after(async () => {
      ourSession.destroy();
      stockSession.destroy();
      await Promise.all([server.close(), stockServer.close()]);
    });
    for (const [index, test] of cases.entries()) {
      it(test.name, { timeout: 20_000 }, async () => {
        const call = { ...test.call, headers: { ...test.call.headers, 'x-case': String(index) } };
        const answers = await Promise.all([rawCall(ourSession, call), rawCall(stockSession, call)]);
        const [our, their] = await Promise.all([
          partsOf(answers[0], ours, String(index)),
          partsOf(answers[1], stock, String(index)),
        ]);
        compare(test, our, their);
      });
    }
  });
}

type Parts = Record<Part, unknown>;

async function partsOf(answer: GrpcAnswer, observed: Observed, key: string): Promise<Parts> {
  // A method that runs learns of a reset a little later than its client.
  for (let turns = 0; observed.get(key) === 'called' && turns < 1000; turns++) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  const { 'grpc-status': status, 'grpc-message': message, ...trailers } = answer.trailers;
  return {
    status,
    message: message && decodeURIComponent(String(message)),
    headers: { headers: answer.headers, trailers },
    messages: answer.messages,
    http: answer.httpStatus,
    reset: answer.reset,
    hung: answer.isHung,
    observed: observed.get(key),
  };
}

function compare({ differs }: Case, our: Parts, their: Parts): void {
  const accepted = differs?.parts ?? [];
  const difference = (Object.keys(our) as Part[]).filter((part) => {
    try {
      assert.deepEqual(our[part], their[part]);
      return false;
    } catch {
      return true;
    }
  });
  const unexpected = difference.filter((it) => !accepted.includes(it));
  const missing = accepted.filter((it) => !difference.includes(it));
  const show = (parts: readonly Part[]) =>
    parts
      .map((it) => `\n${it}: ours ${JSON.stringify(our[it])}, stock ${JSON.stringify(their[it])}`)
      .join('');
  assert.ok(unexpected.length === 0, `they differ in what the table does not explain:${show(unexpected)}`);
  assert.ok(missing.length === 0, `they do not differ in what the table says:${show(missing)}`);
  if (differs) assert.equal(our.status, differs.ourStatus);
  assert.equal(our.hung, false, 'ours has no end');
}
