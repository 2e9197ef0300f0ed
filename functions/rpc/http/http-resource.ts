import type { IncomingHttpHeaders } from 'node:http2';
import type { CallOptions, ConnectError } from '@connectrpc/connect';

/** Answers plain HTTP requests at paths of its own, such as `/users/`. */
export interface HttpResource {
  /** The paths that are its own, without a query. */
  readonly paths: readonly string[];
  /** The HTTP methods that it takes, such as GET, with which HEAD goes; others get 405. */
  readonly methods: readonly string[];
  /** Headers of each of its responses, names and values in turn; `HttpResponse.setHeader` replaces them. */
  readonly headers: readonly string[];
  /** Whether nobody is told of its requests while they go well: no line in the log, no metrics. Default: as of calls. */
  readonly isQuiet?: boolean;
  /** Whether it is a part of another one: who looks for something that there is not is told of the other alone. */
  readonly isPart?: boolean;

  /**
   * The deadline that a request asks for, in ms; without it, or with `undefined`, the default. A request that can't be
   * understood is refused here, by a ConnectError, before anything is done.
   */
  askedMs?(query: URLSearchParams): number | undefined;
  /** Answers. What it throws becomes an error for the client: a ConnectError as it is, anything else as INTERNAL. */
  answer(request: HttpRequest, response: HttpResponse): Promise<void>;
  /**
   * Makes the text that clients get for an error: the body, or its last part if a response has begun.
   *
   * @param response takes headers for the error, where nothing was sent before
   */
  errorText(error: ConnectError, request: HttpRequest, response: ErrorResponse): string;
}

/** A request as a resource sees it. */
export interface HttpRequest {
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** The answer has it as x-request-id, and the log too. */
  readonly requestId: string;
  /** Aborted when the call is over: answered, or ended by its deadline, its client or the server. */
  readonly signal: AbortSignal;
  /**
   * Options for calls by `RpcServer.local` that the answer needs: they have its deadline, signal, id, metadata and
   * caller.
   */
  callOptions(): CallOptions;
}

/** Takes the answer. */
export interface HttpResponse {
  /** The status, if it is not 200. Before the first part of the body. */
  status: number;
  /** Sets a header, or replaces the one that the resource has for all. Before the first part; `name` in lower case. */
  setHeader(name: string, value: string): void;
  /** Adds to the body. Await the promise, if there is one: the client reads slowly, or others wait for a turn. */
  send(part: string | Uint8Array): Promise<void> | undefined;
}

/** Takes what goes with an error. */
export interface ErrorResponse extends Pick<HttpResponse, 'setHeader'> {
  /** As the client sees it: what was sent before, else what the error has in HTTP. */
  readonly status: number;
  /** Whether a part of the answer was sent before: then the error is its end, and it takes no header any more. */
  readonly isBegun: boolean;
}
