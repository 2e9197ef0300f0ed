import type { IncomingHttpHeaders } from 'node:http2';
import type { Connection } from '../call/connection.ts';
import type { Exchange, Receiver } from '../http/exchange.ts';

/**
 * An exchange whose bodies are base64, for browsers that hand scripts nothing but text while a response is still coming.
 * Source: "application/grpc-web-text" in https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md
 */
export class TextExchange implements Exchange {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly connection: Connection;
  readonly isDuplex: boolean;
  readonly #inner: Exchange;

  constructor(inner: Exchange) {
    this.#inner = inner;
    this.method = inner.method;
    this.url = inner.url;
    this.headers = inner.headers;
    this.connection = inner.connection;
    this.isDuplex = inner.isDuplex;
  }

  get hasHost(): boolean {
    return this.#inner.hasHost;
  }

  get extraHeaders(): readonly string[] {
    return this.#inner.extraHeaders;
  }

  set extraHeaders(headers: readonly string[]) {
    this.#inner.extraHeaders = headers;
  }

  receive(receiver: Receiver): void {
    let rest = '';
    this.#inner.receive({
      received: (chunk) => {
        const text = rest + chunk.toString('latin1');
        // Four characters are three bytes; each message may be padded for itself.
        const end = text.length - (text.length % 4);
        rest = text.slice(end);
        receiver.received(decoded(text.slice(0, end)));
      },
      receivedAll: () => {
        // What is no whole group is half a message, and is refused as that.
        if (rest !== '') receiver.received(Buffer.from([0]));
        receiver.receivedAll();
      },
      drained: () => receiver.drained(),
      closed: () => receiver.closed(),
    });
  }

  pause(): void {
    this.#inner.pause();
  }

  resume(): void {
    this.#inner.resume();
  }

  sendHeaders(headers: string[], trailersFollow: boolean): void {
    this.#inner.sendHeaders(headers, trailersFollow);
  }

  send(bytes: Uint8Array): boolean {
    return this.#inner.send(encoded(bytes));
  }

  end(bytes: Uint8Array | undefined): void {
    this.#inner.end(bytes && encoded(bytes));
  }

  endWithHeaders(headers: string[]): void {
    this.#inner.endWithHeaders(headers);
  }

  cut(): void {
    this.#inner.cut();
  }
}

/** Segments that are padded each for itself may follow each other; Buffer's own decoder stops at the first padding. */
function decoded(text: string): Buffer {
  if (!text.includes('=')) return Buffer.from(text, 'base64');
  const segments = text.match(/[^=]+={0,2}/g) ?? [];
  return Buffer.concat(segments.map((segment) => Buffer.from(segment, 'base64')));
}

function encoded(bytes: Uint8Array): Buffer {
  return Buffer.from(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64'), 'latin1');
}
