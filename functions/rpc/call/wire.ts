import type { ConnectError } from '@connectrpc/connect';
import type { Exchange } from '../http/exchange.ts';
import type { Compressions } from '../message/compression.ts';

/** What a method has set for its response, if it has touched it. */
export interface SentMetadata {
  readonly sentHeader: Headers | undefined;
  readonly sentTrailer: Headers | undefined;
}

/**
 * How one protocol speaks on one exchange. It is made from the headers of a request, knows what they ask for, and later
 * tells the client how the call has ended. Everything else about a call is the same for all protocols.
 */
export interface Wire {
  /** `grpc`, `grpc-web` or `connect`. */
  readonly protocol: string;
  readonly exchange: Exchange;
  /** Protobuf, else JSON. */
  readonly isBinary: boolean;
  /** Whether each message has a prefix, see `frame.ts`; else the body is the message. */
  readonly isFramed: boolean;
  /** The message, where it comes in the URL and not in the body; it may throw BAD_MESSAGE. */
  readonly urlMessage: Uint8Array | undefined;
  /** The time that the client asks for, in ms; NaN if it is malformed. */
  readonly askedMs: number | undefined;
  readonly compressions: Compressions;
  /** What is wrong with the request's headers. */
  readonly refusal: ConnectError | undefined;

  /**
   * Sends the response headers before the first message; further calls do nothing. `isCompressed`: messages may be.
   * `bodyBytes`: of the one message that is the body, where its parts will be sent one by one.
   */
  begin(requestId: string, metadata: SentMetadata, isCompressed: boolean, bodyBytes?: number): void;
  /** Sends the rest of the messages and says OK. */
  succeed(
    requestId: string,
    last: Uint8Array | undefined,
    metadata: SentMetadata,
    isCompressed: boolean,
  ): void;
  /** Says how the call has failed. */
  fail(requestId: string, error: ConnectError, metadata: SentMetadata): void;
  /** The same, before anything else was sent and with no memory kept for it. False, and nothing is said: it can't be. */
  failAtOnce?(error: ConnectError): boolean;
}
