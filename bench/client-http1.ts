// Prints what a unary call costs the process of our typed client, over HTTP/1.1 with connections that are kept, beside
// the same over HTTP/2: `npx node bench/client-http1.ts`, half a minute. The server has a core of its own, and the ways
// take turns.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createUsersClient } from '../client/client.ts';
import { figureOf, showFigure } from './figure.ts';
import { originOf, start } from './process.ts';
import { inNode } from './subjects.ts';

const rounds = 9;
const callsARound = 3_000;
/** The target: over HTTP/1.1 a call may cost this many times what it does over HTTP/2. */
const atMost = 1.3;

const folder = mkdtempSync(join(tmpdir(), 'users-bench-'));
const server = await start(inNode('bare', 'ours, bare'), folder);
const endpoint = originOf(server);
try {
  for (const parallel of [1, 32]) await compare(parallel);
} finally {
  await server.stop();
  rmSync(folder, { recursive: true });
}

async function compare(parallel: number): Promise<void> {
  for (const protocol of ['connect', 'grpc-web'] as const) {
    const ways = (['2', '1.1'] as const).map((httpVersion) => ({
      httpVersion,
      client: createUsersClient({ endpoint, protocol, httpVersion }),
      micros: [] as number[],
    }));
    for (const { client } of ways) await cpuMicros(client, parallel);
    for (let round = 0; round < rounds; round += 1) {
      for (const { client, micros } of ways) micros.push(await cpuMicros(client, parallel));
    }
    for (const { client } of ways) client[Symbol.dispose]();
    const [http2, http1] = ways.map(({ micros }) => figureOf(micros));
    if (http2 === undefined || http1 === undefined) continue;
    const ratio = http1.median / http2.median;
    console.log(
      `${protocol}, ${parallel} at a time: HTTP/2 ${showFigure(http2)} µs, HTTP/1.1 ${showFigure(http1)} µs of CPU a call; ` +
        `${ratio.toFixed(2)}, ${ratio <= atMost ? 'at most' : 'more than'} ${atMost}`,
    );
  }
}

/** CPU time of this process for a call, in µs. */
async function cpuMicros(client: ReturnType<typeof createUsersClient>, parallel: number): Promise<number> {
  const before = process.cpuUsage();
  let left = callsARound;
  const callInTurn = async () => {
    while (left-- > 0) await client.createUser({ username: 'tom', requestId: 'bench-client-http1' });
  };
  await Promise.all(Array.from({ length: parallel }, callInTurn));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / callsARound;
}
