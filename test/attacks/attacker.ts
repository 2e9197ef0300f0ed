// The thread of an attacker. It does its orders, closes its connections, and tells what came of them. It has a thread
// of its own so that its work is not on the clock of the quiet client. Whatever its orders are, it knows no other
// address than 127.0.0.1.
import { once } from 'node:events';
import net, { type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import type { Attack, AttackOrders, AttackReport } from './attack.ts';
import { Http1Peer } from './http1-peer.ts';
import { Http2Peer, widestWindow } from './http2-peer.ts';

const paceMs = 10;
/**
 * More at once, and the kernel's queue of connections to be accepted would overflow, which nothing in a server
 * prevents.
 */
const connectionsPerSecond = 2_500;

const { attacks, forMs }: AttackOrders = workerData;
if (parentPort === null) throw new Error('this is a thread, not a program');
parentPort.postMessage('ready');
const [port]: number[] = await once(parentPort, 'message');
const end = new AbortController();
const reports = attacks.map((attack) => run(attack, end.signal));
await delay(forMs);
end.abort();
parentPort.postMessage(await Promise.all(reports));

async function run(attack: Attack, signal: AbortSignal): Promise<AttackReport> {
  const { connections, requests, times = 1, perSecond = Number.POSITIVE_INFINITY } = attack;
  const sockets: Socket[] = [];
  const peers: (Http1Peer | Http2Peer)[] = [];
  let connected = 0;
  let lost = 0;
  const open = () => {
    const socket = net.connect({
      host: '127.0.0.1',
      port: port ?? 0,
      localAddress: attack.from,
      noDelay: true,
    });
    socket.on('connect', () => {
      connected += 1;
    });
    socket.on('error', () => {}); // 'close' follows
    socket.on('close', () => {
      if (!signal.aborted) lost += 1;
    });
    sockets.push(socket);
    const window = attack.reading === 'none' ? 0 : widestWindow;
    peers.push(attack.http === '2' ? new Http2Peer(socket, window) : new Http1Peer(socket, attack.reading));
  };
  await paced(connections, connectionsPerSecond, signal, (from, to) => {
    for (let place = from; place < to; place += 1) open();
  });
  await paced(connections * requests.length * times, perSecond, signal, (from, to) => {
    for (const socket of sockets) socket.cork();
    for (let place = from; place < to; place += 1) {
      const request = requests[Math.floor(place / connections) % requests.length];
      if (request !== undefined) peers[place % connections]?.send(request);
    }
    for (const socket of sockets) socket.uncork();
  });
  if (!signal.aborted) await once(signal, 'abort');
  const sum = (count: (it: Http1Peer | Http2Peer) => number) => peers.reduce((all, it) => all + count(it), 0);
  const bytes = (of: 'bytesWritten' | 'bytesRead') => sockets.reduce((all, it) => all + it[of], 0);
  const report = {
    connected,
    lost,
    requests: sum((it) => it.requests),
    sentBytes: bytes('bytesWritten'),
    receivedBytes: bytes('bytesRead'),
    responses: sum((it) => it.responses),
    resets: sum((it) => it.resets),
  };
  for (const socket of sockets) socket.destroy();
  return report;
}

/** Does what is due each time, from one number to the next, until all is done or it is over. */
async function paced(
  total: number,
  perSecond: number,
  signal: AbortSignal,
  go: (from: number, to: number) => void,
): Promise<void> {
  const startedAtMs = performance.now();
  let done = 0;
  while (done < total && !signal.aborted) {
    if (done > 0) await delay(paceMs, undefined, { signal }).catch(() => {}); // aborted: it is over
    const due = Math.min(total, Math.ceil(((performance.now() - startedAtMs + 1) / 1000) * perSecond));
    if (due > done) go(done, due);
    done = Math.max(done, due);
  }
}
