import type http from 'node:http';
import type { IncomingHttpHeaders } from 'node:http2';
import type { Connection } from '../call/connection.ts';
import { type Exchange, headerBytesOf, isHost, type Receiver } from './exchange.ts';

/** An exchange of HTTP/1.1, on node:http. It has no trailers, so it can't carry gRPC itself. */
export class NodeExchange implements Exchange {
  readonly method: string;
  readonly url: string;
  readonly connection: Connection;
  readonly isDuplex = false;
  extraHeaders: readonly string[] = [];
  readonly #req: http.IncomingMessage;
  readonly #res: http.ServerResponse;

  constructor(req: http.IncomingMessage, res: http.ServerResponse, connection: Connection) {
    this.method = req.method ?? '';
    // A client may send the absolute form to any server (RFC 9112 section 3.2.2).
    this.url = (req.url ?? '').replace(/^[a-z][a-z\d+.-]*:\/\/[^/?]*\/?/i, '/');
    this.connection = connection;
    this.#req = req;
    this.#res = res;
  }

  get headerBytes(): number {
    return headerBytesOf(this.#req.rawHeaders);
  }

  get headers(): IncomingHttpHeaders {
    return this.#req.headers;
  }

  get hasHost(): boolean {
    const { host = [] } = this.#req.headersDistinct;
    return host.length === 1 ? isHost(host[0]) : host.length === 0 && this.#req.httpVersion === '1.0';
  }

  receive(receiver: Receiver): void {
    this.#req.on('data', (chunk: Buffer) => receiver.received(chunk));
    this.#req.on('end', () => receiver.receivedAll());
    this.#res.on('drain', () => receiver.drained());
    this.#res.on('close', () => receiver.closed());
    // 'close' follows; without a listener the process would end.
    this.#req.on('error', () => {});
    this.#res.on('error', () => {});
  }

  pause(): void {
    this.#req.pause();
  }

  resume(): void {
    this.#req.resume();
  }

  sendHeaders(headers: string[]): void {
    if (this.#isGone || this.#res.headersSent) return;
    const [, status, ...pairs] = headers;
    this.#res.writeHead(Number(status), [...pairs, ...this.extraHeaders]);
  }

  send(bytes: Uint8Array): boolean {
    return this.#isGone || this.#res.write(bytes);
  }

  end(bytes: Uint8Array | undefined): void {
    if (this.#isGone) return;
    this.#res.end(bytes);
    // The rest of the request must be read: the next one comes behind it. (Node's own timeout for requests holds.)
    this.#req.resume();
  }

  endWithHeaders(headers: string[]): void {
    this.sendHeaders(headers);
    this.end(undefined);
  }

  cut(): void {
    this.#res.destroy();
  }

  get #isGone(): boolean {
    return this.#res.destroyed || this.#res.writableEnded;
  }
}
