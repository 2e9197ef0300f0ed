import { once } from 'node:events';
import http2, { type ClientHttp2Session } from 'node:http2';
import { promisify } from 'node:util';
import { unaryLoads } from './loads.ts';
import { type Effort, withServers } from './measure.ts';
import { originOf, type Running } from './process.ts';
import { onNodesHttp2, type Subject } from './subjects.ts';

/** What became of calls that nobody cancelled. */
export interface CancelRow {
  readonly subject: Subject;
  readonly calls: number;
  /** Those that did not end with OK. */
  readonly failed: number;
}

/** What ours as shipped allows on a connection, and the server on grpc-go with the same policies. */
const maxConcurrentStreams = 256;
const rounds = 20;
/** Longer than any of these calls takes; one that is not answered by then has failed. */
const giveUpMs = 10_000;

/**
 * Cancels as many calls as a connection may have, and makes as many others with the same client at the same time:
 * HTTP/2 allows that, and to the server all of it comes at once. Counts those that fail.
 */
export async function measureCancels(servers: readonly Subject[], effort: Effort): Promise<CancelRow[]> {
  const subjects = servers.flatMap((it) => {
    if (it.key === 'shipped') return [it, onNodesHttp2];
    return it.key === 'grpc-go-policies' ? [it] : [];
  });
  return withServers(subjects, effort.folder, async (running) => {
    const failed = new Map(running.map((it) => [it, 0]));
    for (let round = 0; round < rounds; round += 1) {
      for (const [server, sofar] of failed) failed.set(server, sofar + (await cancelRound(server)));
    }
    return [...failed].map(([{ subject }, count]) => ({
      subject,
      calls: rounds * maxConcurrentStreams,
      failed: count,
    }));
  });
}

/** On a connection of its own: a client may reset only so many streams in a time. */
async function cancelRound(server: Running): Promise<number> {
  const session = http2.connect(originOf(server));
  session.on('error', () => {}); // its calls have failed too, and are counted
  try {
    await once(session, 'remoteSettings');
    // They wait for their messages. The answer to a PING says that the server knows of them.
    const doomed = times(() => begin(session));
    for (const call of doomed) call.on('error', () => {});
    await promisify(session.ping.bind(session))();
    for (const call of doomed) call.close(http2.constants.NGHTTP2_CANCEL);
    const outcomes = await Promise.all(times(() => outcomeOf(session)));
    return outcomes.filter((isOk) => !isOk).length;
  } finally {
    session.destroy();
  }
}

function begin(session: ClientHttp2Session) {
  const [{ path, headers }] = unaryLoads;
  return session.request({ ':method': 'POST', ':path': path, ...headers });
}

/** Makes a call. Returns whether it ends with OK. */
function outcomeOf(session: ClientHttp2Session): Promise<boolean> {
  return new Promise((resolve) => {
    const call = begin(session);
    let isOk = false;
    call.on('trailers', (trailers) => {
      isOk = trailers['grpc-status'] === '0';
    });
    call.on('error', () => {});
    call.on('close', () => resolve(isOk));
    call.setTimeout(giveUpMs, () => call.close(http2.constants.NGHTTP2_CANCEL));
    call.resume().end(unaryLoads[0].body);
  });
}

function times<T>(make: () => T): T[] {
  return Array.from({ length: maxConcurrentStreams }, make);
}
