import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { withPatience } from './patience.ts';

/** A request that a receiver got, its body without compression. */
export interface Received {
  readonly path: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
}

/** What answers OTLP over HTTP in tests. */
export interface OtlpReceiver {
  readonly url: string;
  readonly port: number;
  /** What it got so far. */
  readonly received: readonly Received[];
  /** Resolves with the first request that fits, there already or to come; fails if none does in any bearable time. */
  next(matches: (received: Received) => boolean): Promise<Received>;
}

/** How a receiver answers the request of this number, from 0. */
export type Answer = (number: number, response: http.ServerResponse) => void;

/** Receives on a free port of 127.0.0.1 until the test ends. `answer`: by default all is taken. */
export async function receiveOtlp(
  t: TestContext,
  answer: Answer = (_, response) => response.end(),
): Promise<OtlpReceiver> {
  const received: Received[] = [];
  const waiting = new Set<() => void>();
  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const raw = Buffer.concat(chunks);
    const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw;
    received.push({ path: request.url ?? '', headers: request.headers, body });
    answer(received.length - 1, response);
    for (const look of waiting) look();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  // A TCP server has an address and a port.
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    received,
    async next(matches) {
      const { promise, resolve } = Promise.withResolvers<Received>();
      const look = () => {
        const found = received.find(matches);
        if (found !== undefined) resolve(found);
      };
      waiting.add(look);
      look();
      const found = await withPatience(promise);
      waiting.delete(look);
      assert.ok(found, `no such request among ${received.map(({ path }) => path).join()}`);
      return found;
    },
  };
}
