import type { Socket } from 'node:net';
import type { AttackRequest, Reading } from './attack.ts';

/** How often a slow reader takes what one read brings, 64 KB at most. */
const slowMs = 100;

/** An HTTP/1.1 client that sends one request after the other and waits for nothing. */
export class Http1Peer {
  requests = 0;
  responses = 0;
  readonly resets = 0;
  readonly #socket: Socket;

  constructor(socket: Socket, reading: Reading) {
    this.#socket = socket;
    if (reading === 'none') {
      socket.pause();
      return;
    }
    socket.on('data', (chunk) => {
      this.#received(chunk);
      if (reading === 'slow') socket.pause();
    });
    if (reading === 'all') return;
    const timer = setInterval(() => socket.resume(), slowMs);
    socket.once('close', () => clearInterval(timer));
  }

  /** Sends a request behind those before it. */
  send({ method, path, headers, body, isEndless }: AttackRequest): void {
    const length = body.length + (isEndless ? 1 : 0);
    const lines = [`${method} ${path} HTTP/1.1`, 'host: 127.0.0.1'];
    for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
    if (method === 'POST') lines.push(`content-length: ${length}`);
    this.#socket.write(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), body]));
    this.requests += 1;
  }

  /** Counts status lines; one that is split over two chunks is missed, which no test depends on. */
  #received(chunk: Buffer): void {
    for (let at = chunk.indexOf('HTTP/1.1 '); at !== -1; at = chunk.indexOf('HTTP/1.1 ', at + 1)) {
      this.responses += 1;
    }
  }
}
