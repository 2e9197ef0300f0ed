// A worker thread for dial.test.ts: listens, and accepts nobody until the flag is set. The kernel leaves a handshake
// open then once the queue of those that wait is full.
import net from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';

const { host, flag }: { host: string; flag: Int32Array } = workerData;
const server = net.createServer((socket) => socket.on('error', () => {}));
server.listen({ host, port: 0, backlog: 1 }, () => {
  // Posted before the thread stands still.
  parentPort?.postMessage(server.address());
  setImmediate(() => Atomics.wait(flag, 0, 0));
});
