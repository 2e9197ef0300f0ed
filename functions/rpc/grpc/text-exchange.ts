import type { IncomingHttpHeaders } from 'node:http2';
import type { Connection } from '../call/connection.ts';
import { rpcError } from '../errors.ts';
import type { Exchange, Receiver } from '../http/exchange.ts';
import { decodeBase64 } from '../message/base64.ts';

/**
 * An exchange whose bodies are base64, for browsers that hand scripts nothing but text while a response is still
 * coming. Source: "application/grpc-web-text" in https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md
 */
export class TextExchange implements Exchange {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly headerBytes: number;
  readonly connection: Connection;
  readonly isDuplex: boolean;
  readonly #inner: Exchange;

  constructor(inner: Exchange) {
    this.#inner = inner;
    this.method = inner.method;
    this.url = inner.url;
    this.headers = inner.headers;
    this.headerBytes = inner.headerBytes;
    this.connection = inner.connection;
    this.isDuplex = inner.isDuplex;
  }

  get windowBytes(): number | undefined {
    return this.#inner.windowBytes;
  }

  get hasHost(): boolean {
    return this.#inner.hasHost;
  }

  get sentStatus(): string | undefined {
    return this.#inner.sentStatus;
  }

  get extraHeaders(): readonly string[] {
    return this.#inner.extraHeaders;
  }

  set extraHeaders(headers: readonly string[]) {
    this.#inner.extraHeaders = headers;
  }

  receive(receiver: Receiver): void {
    let rest = '';
    const read = (text: string) => {
      const bytes = decoded(text);
      if (bytes === undefined) receiver.broken(rpcError('BAD_MESSAGE'));
      else receiver.received(bytes);
    };
    this.#inner.receive({
      received: (chunk) => {
        const text = rest + chunk.toString('latin1');
        // Four characters are three bytes.
        const end = text.length - (text.length % 4);
        rest = text.slice(end);
        read(text.slice(0, end));
      },
      kept: (bytes) => receiver.kept?.(bytes),
      receivedAll: () => {
        // The last of them may come without padding.
        if (rest !== '') read(rest);
        receiver.receivedAll();
      },
      broken: (error) => receiver.broken(error),
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

/** Segments may follow each other, each with padding of its own. `undefined`: it is no base64. */
function decoded(text: string): Buffer | undefined {
  const segments = text.match(/[^=]+={0,2}/g) ?? [];
  const bytes = segments.map(decodeBase64).filter((it) => it !== undefined);
  const isWhole = bytes.length === segments.length && segments.join('').length === text.length;
  return isWhole ? Buffer.concat(bytes) : undefined;
}

function encoded(bytes: Uint8Array): Buffer {
  return Buffer.from(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64'), 'latin1');
}
