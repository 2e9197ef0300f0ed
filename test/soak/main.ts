// npm run test:soak: calls that end in every way (answers, cancels, deadlines, resets, cut connections, readers and
// writers that are slow or stop) against a server of its own for SOAK_SECONDS (default 60; 600 before a release). At
// the end its memory, sockets, timers and streams must be where they were before.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import http2, { type ClientHttp2Session } from 'node:http2';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { frame } from '../support/frames.ts';
import { requestHttp2 } from '../support/raw-request.ts';
import type { InUse } from './server.ts';

const seconds = Number(process.env.SOAK_SECONDS ?? 60);
const warmUpSeconds = Math.min(15, seconds / 4);
/** What code that is compiled meanwhile, and caches that are not full yet, may add. */
const maxGrowthBytes = 2 * 1024 * 1024;
const sessionsAtATime = 8;
const callsAtATime = 12;

const child = fork(join(import.meta.dirname, 'server.ts'), { stdio: 'inherit' });
const [port] = await once(child, 'message');
if (typeof port !== 'number') throw new TypeError('the server has not said its port');

const message = (hex: string) => frame(Buffer.from(hex, 'hex'));
const empty = frame(Buffer.alloc(0));
const hang = message('4001');
/** 20 answers of 20,000 bytes. */
const large = message('101438a09c01');

/** What happened, for people. */
const counts = new Map<string, number>();
const chance = (end: number) => Math.floor(Math.random() * end);

function begin(session: ClientHttp2Session, method: string, headers: Record<string, string> = {}) {
  return requestHttp2(session, {
    path: `/test.echo.v1.Echo/${method}`,
    headers: { 'content-type': 'application/grpc', te: 'trailers', ...headers },
  });
}

/** How calls go. */
const kinds: Record<string, (session: ClientHttp2Session) => Promise<unknown>> = {
  async answer(session) {
    const call = begin(session, 'Unary');
    call.read();
    call.request.end(empty);
    await call.closed;
  },
  async cancel(session) {
    const call = begin(session, 'Unary');
    call.request.end(hang);
    await delay(chance(30));
    call.cancel();
    await call.closed;
  },
  async 'cancel at once'(session) {
    const call = begin(session, 'Bidi');
    call.request.write(empty);
    call.cancel();
    await call.closed;
  },
  async deadline(session) {
    const call = begin(session, 'Unary', { 'grpc-timeout': `${1 + chance(40)}m` });
    call.read();
    call.request.end(hang);
    await call.closed;
  },
  async 'slow reader'(session) {
    const call = begin(session, 'ServerStream');
    call.request.end(large);
    for await (const _ of call.chunks()) await delay(5);
    await call.closed;
  },
  async 'reader that stops'(session) {
    const call = begin(session, 'ServerStream');
    call.request.end(large);
    await call.responded;
    await delay(chance(200));
    call.cancel();
    await call.closed;
  },
  async 'slow writer'(session) {
    const call = begin(session, 'ClientStream');
    call.read();
    for (let count = 0; count < 10; count++) {
      call.request.write(message(`0a02${'6162'}`));
      await delay(chance(5));
    }
    call.request.end();
    await call.closed;
  },
  async 'early answer'(session) {
    const call = begin(session, 'None');
    call.read();
    call.request.write(Buffer.alloc(5_000));
    await call.closed;
  },
  async 'wrong length'(session) {
    const call = begin(session, 'Unary', { 'content-length': '3' });
    call.request.end(empty);
    await call.closed;
  },
};
const names = Object.keys(kinds);

/** A session with some calls at a time, that ends well or is cut. */
async function useSession(untilMs: number): Promise<void> {
  const session = http2.connect(`http://127.0.0.1:${port}`);
  session.setMaxListeners(0).on('error', () => {});
  const call = async () => {
    for (let count = chance(60); count >= 0 && !session.destroyed && performance.now() < untilMs; count--) {
      const name = names[chance(names.length)] ?? 'answer';
      counts.set(name, (counts.get(name) ?? 0) + 1);
      // A session that is cut ends its calls with errors.
      await kinds[name]?.(session).catch(() => {});
    }
  };
  const calls = Promise.all(Array.from({ length: callsAtATime }, call));
  if (chance(3) === 0) {
    await Promise.race([calls, delay(chance(1_000))]);
    session.destroy();
  }
  await calls;
  if (!session.destroyed) await new Promise<void>((resolve) => session.close(resolve));
}

async function wear(forSeconds: number): Promise<void> {
  const untilMs = performance.now() + 1_000 * forSeconds;
  const use = async () => {
    while (performance.now() < untilMs) await useSession(untilMs);
  };
  await Promise.all(Array.from({ length: sessionsAtATime }, use));
}

/** What is in use once nobody calls: calls that were cut take a moment to end. */
async function inUse(): Promise<InUse> {
  let use: InUse | undefined;
  for (let attempt = 0; attempt < 20; attempt++) {
    await delay(500);
    child.send('use');
    [use] = await once(child, 'message');
    if (use && use.streams + use.sockets + use.clients + use.connections === 0) return use;
  }
  if (use === undefined) throw new Error('the server does not say what is in use');
  return use;
}

await wear(warmUpSeconds);
const before = await inUse();
await wear(seconds - warmUpSeconds);
const after = await inUse();
child.send('end');
await once(child, 'exit');

console.log(`calls: ${[...counts].map(([name, count]) => `${count} ${name}`).join(', ')}`);
console.log('before', before);
console.log('after', after);
const { heapBytes, ...counted } = after;
const left = Object.entries(counted).filter(([, count]) => count > 0);
if (left.length > 0) console.log(`left: ${JSON.stringify(left)}`);
const grownBytes = heapBytes - before.heapBytes;
if (grownBytes > maxGrowthBytes) console.log(`the heap has grown by ${grownBytes} bytes`);
process.exitCode = left.length === 0 && grownBytes <= maxGrowthBytes ? 0 : 1;
