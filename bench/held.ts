import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import http2, { type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { fileURLToPath } from 'node:url';
import { type Figure, figureOf } from './figure.ts';
import { unaryLoads } from './loads.ts';
import type { Effort } from './measure.ts';
import type { Target } from './targets.ts';

/** What holds memory on a server without doing anything. */
type Kind = 'idle' | 'stalled';

/** What one of them takes, by the engine that speaks HTTP/2. */
export interface Held {
  readonly title: string;
  readonly ownKiB: Figure;
  readonly nodeKiB: Figure;
}

const kinds: readonly (readonly [Kind, string])[] = [
  ['idle', 'a connection that has had a call and is idle'],
  ['stalled', 'a stream whose client does not read the answer'],
];
/** How many there are before memory is looked at first: the heap has grown then to what it needs for itself. */
const firstCounts = { idle: 1_000, stalled: 2_000 };
const moreCounts = { idle: 3_000, stalled: 6_000 };
/** Below what a server takes of one connection. */
const streamsOfOne = 200;
const rounds = 3;

/** Measures both engines in turns, each time in a fresh process. */
export async function measureHeld({ isQuick, say }: Effort): Promise<Held[]> {
  const held: Held[] = [];
  for (const [kind, title] of kinds) {
    const own: number[] = [];
    const node: number[] = [];
    for (let round = 0; round < (isQuick ? 1 : rounds); round += 1) {
      say(`memory of ${title}: round ${round + 1}`);
      own.push(await kibOfOne('own', kind, isQuick ? 0.1 : 1));
      node.push(await kibOfOne('node', kind, isQuick ? 0.1 : 1));
    }
    held.push({ title, ownKiB: figureOf(own), nodeKiB: figureOf(node) });
  }
  return held;
}

/** That ours takes half of what node:http2 does. */
export function heldTargets(held: readonly Held[]): Target[] {
  return held.map(({ title, ownKiB, nodeKiB }) => ({
    what: `memory of ${title}: our HTTP/2 to node:http2`,
    atMost: 0.5,
    reached: ownKiB.median / nodeKiB.median,
  }));
}

async function kibOfOne(engine: 'own' | 'node', kind: Kind, part: number): Promise<number> {
  const path = fileURLToPath(new URL('servers/held.ts', import.meta.url));
  const env = { ...process.env, ENGINE: engine };
  // Else the young generation, which grows meanwhile, is most of what is seen.
  const execArgv = ['--expose-gc', '--max-semi-space-size=1'];
  const child = fork(path, { execArgv, env });
  const sessions: ClientHttp2Session[] = [];
  try {
    const port = await answerOf(child);
    const hold = kind === 'idle' ? holdIdle : holdStalled;
    await hold(port, firstCounts[kind] * part, sessions);
    const before = await rssOf(child);
    await hold(port, moreCounts[kind] * part, sessions);
    return ((await rssOf(child)) - before) / 1024 / (moreCounts[kind] * part);
  } finally {
    for (const session of sessions) session.destroy();
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}

async function holdIdle(port: number, count: number, sessions: ClientHttp2Session[]): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const session = http2.connect(`http://127.0.0.1:${port}`);
    sessions.push(session);
    await once(call(session).resume(), 'end');
  }
}

/** Their headers have come; the rest waits for a window. */
async function holdStalled(port: number, count: number, sessions: ClientHttp2Session[]): Promise<void> {
  for (let index = 0; index < count; index += streamsOfOne) {
    const session = http2.connect(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: 0 } });
    session.setMaxListeners(0);
    sessions.push(session);
    const streams = Array.from({ length: Math.min(streamsOfOne, count - index) }, () => call(session));
    await Promise.all(streams.map((it) => once(it, 'response')));
  }
}

function call(session: ClientHttp2Session): ClientHttp2Stream {
  const { path, headers, body } = unaryLoads[0];
  const stream = session.request({ ':method': 'POST', ':path': path, ...headers });
  stream.on('error', () => {}); // at the end, when all are cut off
  stream.end(body);
  return stream;
}

async function rssOf(child: ChildProcess): Promise<number> {
  child.send('');
  return answerOf(child);
}

async function answerOf(child: ChildProcess): Promise<number> {
  const [answer] = await once(child, 'message');
  return Number(answer);
}
