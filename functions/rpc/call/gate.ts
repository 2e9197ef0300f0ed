import type { IncomingHttpHeaders } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import type { DescMethod } from '@bufbuild/protobuf';
import type { ContextValues } from '@connectrpc/connect';
import type { Caller } from '../auth/caller.ts';

/** What a gate learns of a call: its headers, and who sends them. Its body is not read yet. */
export interface GateRequest {
  /** `grpc`, `grpc-web`, `connect`, `http`, or `local` for a call from within the process. */
  readonly protocol: string;
  /** The path that is called, such as `/Users/CreateUser`. */
  readonly path: string;
  /** The method that is called; `undefined` for plain HTTP, such as `/users/`. */
  readonly method: DescMethod | undefined;
  /** Names in lower case. */
  readonly headers: IncomingHttpHeaders;
  readonly requestId: string;
  /** Address and port of the connection. */
  readonly peer: string;
  /** Address of the client. Behind trusted proxies it is the one that they name. */
  readonly client: string;
  /** The TLS connection, for the client's certificate; `undefined` in plain text. */
  readonly tls: TLSSocket | undefined;
  /** The gate sets here what handlers and interceptors should know: they read it as `HandlerContext.values`. */
  readonly values: ContextValues;
  /**
   * Says who calls. From now on the call takes the caller's shares, instead of those of its address; the log names it,
   * and handlers learn it by `callerOf`.
   *
   * @throws MEMORY_EXHAUSTED if the caller has no memory left
   */
  identify(caller: Caller): void;
}

/**
 * Stands before every call of every protocol, plain HTTP and calls from within the process too. It runs after the
 * headers, before a byte of the body is read: refusing costs no more than the headers.
 *
 * It returns to let the call in, or throws the ConnectError that the client gets, at once or later by a promise. The
 * model is `requestGate` of @connectrpc/connect 2.2.
 */
export type Gate = (request: GateRequest) => undefined | Promise<void>;
