import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';
import type { ConnectError } from '@connectrpc/connect';
import type { Connection } from '../call/connection.ts';

/**
 * What carries one request and its response, whatever protocol speaks over it. Protocols are written against this
 * interface alone: `Http2Stream` carries one on a stream of HTTP/2, `NodeExchange` on node:http.
 */
export interface Exchange {
  /** Such as POST. */
  readonly method: string;
  /** Path and query, as they came. */
  readonly url: string;
  /** Of the request, names in lower case, repeated ones joined by ", ". */
  readonly headers: IncomingHttpHeaders;
  /** What the headers take, as RFC 9113 section 10.5.1 counts them: a few bytes of HPACK may stand for all of them. */
  readonly headerBytes: number;
  readonly connection: Connection;
  /** Whether the request names the one host that it is for (RFC 9112 section 3.2, RFC 9113 section 8.3.1). */
  readonly hasHost: boolean;
  /** Whether the request has more headers than the server takes, so that some are missing here. */
  readonly lacksHeaders?: boolean;
  /** How much of the request its client may send ahead, if that is not `streamWindowBytes`. */
  readonly windowBytes?: number | undefined;
  /** Whether the response can begin before the request has ended, as in HTTP/2. */
  readonly isDuplex: boolean;
  /** The status of the response, once its headers were sent. */
  readonly sentStatus?: string | undefined;
  /** Headers that go with whatever response, names and values in turn. CORS sets them. */
  extraHeaders: readonly string[];

  /** Begins to read. Called once. */
  receive(receiver: Receiver): void;
  /** Stops reading, and with it, by flow control, the client's writing. */
  pause(): void;
  /** Reads on. */
  resume(): void;

  /** Sends the response headers: names and values in turn, `:status` first. Whether trailers will follow the body. */
  sendHeaders(headers: string[], trailersFollow: boolean): void;
  /** Sends bytes of the body, after the headers. False: wait for `drained` before the next. */
  send(bytes: Uint8Array): boolean;
  /** Sends the last bytes, if any, and the trailers, if headers have announced them. */
  end(bytes: Uint8Array | undefined, trailers?: OutgoingHttpHeaders): void;
  /** Answers with headers alone: gRPC's "Trailers-Only". */
  endWithHeaders(headers: string[]): void;
  /**
   * As `endWithHeaders`, but keeps nothing of the exchange: what still comes of the request is dropped. `undefined`
   * where that can't be.
   */
  endAtOnce?(headers: string[]): void;
  /** Gives up on the exchange: nothing is sent any more. */
  cut(): void;
}

/**
 * From the headers of a request, an answer that is early waits this long for the end of the request: a small body is
 * right behind its headers.
 */
export const requestEndGraceMs = 50;

/** What happens to an exchange. */
export interface Receiver {
  /** Bytes of the request's body, in any portion. */
  received(chunk: Buffer): void;
  /** Bytes of the request's body wait in memory, since the receiver has paused. Default: it need not know. */
  kept?(bytes: number): void;
  /** The request is complete. */
  receivedAll(): void;
  /** The body is not what its content type says: nothing more of it will be received. */
  broken(error: ConnectError): void;
  /** There is room to send again. */
  drained(): void;
  /** The exchange is gone: after its regular end, or cut off by either side before it. Called once. */
  closed(): void;
}

/** Whether a text is a host, and perhaps a port, that a URL may have, and nothing else of a URL. */
export function isHost(text: string | undefined): boolean {
  return text !== undefined && /^[^/?#@\\]+$/.test(text) && URL.canParse(`http://${text}/`);
}

/** The size of a block of headers, names and values in turn (RFC 9113 section 10.5.1). */
export function headerBytesOf(headers: readonly string[]): number {
  let bytes = 0;
  for (const text of headers) bytes += text.length + 16;
  return bytes;
}
