import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';

/**
 * What carries the bytes of one gRPC call. The gRPC code is written against this interface alone,
 * so that what carries the bytes can change; `Http2CallStream` is the one for node:http2.
 */
export interface CallStream {
  /** Of the request, names in lower case, repeated ones joined by ", ". */
  readonly headers: IncomingHttpHeaders;
  /** Address and port of the other side. */
  readonly peer: string;

  /** Begins to read. Called once. */
  receive(receiver: CallReceiver): void;
  /** Stops reading, and with it, by flow control, the client's writing. */
  pause(): void;
  /** Reads on. */
  resume(): void;

  /** Sends the response headers, names and values in turn. Trailers will follow. */
  sendHeaders(headers: string[]): void;
  /** Sends whole messages, after the headers. False: wait for `drained` before the next. */
  send(frames: Buffer): boolean;
  /** Sends the last messages, if any, and the trailers. */
  end(frames: Buffer | undefined, trailers: OutgoingHttpHeaders): void;
  /** Ends a call without messages in a single header block ("Trailers-Only" of the gRPC protocol). */
  endWithHeaders(headersAndTrailers: string[]): void;
  /** Gives up on the call: nothing is sent any more. */
  reset(): void;
}

/** What happens to a call. */
export interface CallReceiver {
  /** Bytes of the request, in any portion. */
  received(chunk: Buffer): void;
  /** The request is complete. */
  receivedAll(): void;
  /** There is room to send again. */
  drained(): void;
  /** The stream is gone: after its regular end, or reset by either side before it. Called once. */
  closed(): void;
}
