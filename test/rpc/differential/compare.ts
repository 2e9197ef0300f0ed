import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { compressionGzip } from '@connectrpc/connect-node';
import { RpcServer } from '../../../functions/rpc/server.ts';
import type { RpcServerOptions } from '../../../functions/rpc/server-options.ts';
import { startStockServer } from '../../support/stock-server.ts';
import { echoService, type Observed } from '../echo-service.ts';
import { Echo } from '../gen/echo_pb.js';
import { type Parts as Answered, partsOf } from './answer.ts';
import { type Case, maxMessageBytes, type Part } from './case.ts';
import { type Dialect, registry } from './dialect.ts';
import { type Connections, connect, type RawCall, rawCall } from './raw-call.ts';

type Parts = Record<Part, unknown>;

/** A server, how to call it, and what its methods have seen. */
interface Side {
  readonly connections: Connections;
  readonly observed: Observed;
}

/**
 * Makes each call to a server of ours and to connect-node's own, and compares all that a client sees of the answers.
 */
export function compareWithStock(
  { name, wire }: Dialect,
  cases: readonly Case[],
  title = 'plain',
  options: Pick<RpcServerOptions, 'interceptors' | 'keepsMessages'> = {},
): void {
  describe(`ours and stock, ${name}, ${title}`, { concurrency: 8 }, async () => {
    const [ours, theirs] = [new Map<string, string>(), new Map<string, string>()];
    const server = new RpcServer({
      routes: (router) => router.service(Echo, echoService(ours)),
      limits: { maxMessageBytes },
      ...options,
    });
    const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
    const stock = await startStockServer({
      routes: (router) => router.service(Echo, echoService(theirs)),
      jsonOptions: { registry },
      acceptCompression: [compressionGzip],
      readMaxBytes: maxMessageBytes,
      writeMaxBytes: maxMessageBytes,
      interceptors: [...(options.interceptors ?? [])],
      http: wire.http === '2' ? 2 : 1,
    });
    const our = { connections: connect(wire.http, port), observed: ours };
    const their = { connections: connect(wire.http, stock.port), observed: theirs };
    after(async () => {
      our.connections.close();
      their.connections.close();
      await Promise.all([server.close(), stock.close()]);
    });
    for (const [index, test] of cases.entries()) {
      it(test.name, { timeout: 20_000 }, async () => {
        const call = { ...test.call, headers: { ...test.call.headers, 'x-case': String(index) } };
        const answers = await Promise.all([answer(our, call), answer(their, call)]);
        compare(test, ...answers);
      });
    }
  });
}

async function answer({ connections, observed }: Side, call: RawCall): Promise<Parts> {
  const key = String(call.headers['x-case']);
  const answered: Answered = partsOf(await rawCall(connections, call));
  // A method that runs learns of a reset a little later than its client.
  for (let turns = 0; observed.get(key) === 'called' && turns < 1000; turns++) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return { ...answered, observed: observed.get(key) };
}

function compare({ differs, chance = [] }: Case, our: Parts, their: Parts): void {
  const accepted = differs?.parts ?? [];
  const difference = (Object.keys(our) as Part[]).filter((part) => {
    if (chance.includes(part)) return false;
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
