import type { IncomingHttpHeaders } from 'node:http2';
import type { DescMethod, DescService } from '@bufbuild/protobuf';
import { type ContextValues, createContextValues, type HandlerContext } from '@connectrpc/connect';
import { requestIdHeader } from './request-id.ts';

/**
 * The context of a gRPC call, as connect's handlers and interceptors know it. `Headers`, the signal and
 * the values are made when first touched: together they cost more than the rest of a small call.
 */
export class CallContext implements HandlerContext {
  readonly method: DescMethod;
  readonly protocolName = 'grpc';
  readonly requestMethod = 'POST';
  readonly #headers: IncomingHttpHeaders;
  readonly #requestId: string;
  readonly #deadlineAtMs: number;
  #requestHeader: Headers | undefined;
  #responseHeader: Headers | undefined;
  #responseTrailer: Headers | undefined;
  #values: ContextValues | undefined;
  #controller: AbortController | undefined;
  #abortReason: unknown;

  /** `deadlineAtMs`: on the clock of `performance.now()`; infinite for a call without one. */
  constructor(method: DescMethod, headers: IncomingHttpHeaders, requestId: string, deadlineAtMs: number) {
    this.method = method;
    this.#headers = headers;
    this.#requestId = requestId;
    this.#deadlineAtMs = deadlineAtMs;
  }

  get service(): DescService {
    return this.method.parent;
  }

  get url(): string {
    const { ':scheme': scheme, ':authority': authority, host, ':path': path } = this.#headers;
    return `${scheme ?? 'http'}://${authority ?? host ?? ''}${path ?? ''}`;
  }

  get timeoutMs(): () => number | undefined {
    const deadlineAtMs = this.#deadlineAtMs;
    return () => (Number.isFinite(deadlineAtMs) ? deadlineAtMs - performance.now() : undefined);
  }

  get requestHeader(): Headers {
    if (this.#requestHeader === undefined) {
      this.#requestHeader = toWebHeaders(this.#headers);
      this.#requestHeader.set(requestIdHeader, this.#requestId);
    }
    return this.#requestHeader;
  }

  get responseHeader(): Headers {
    this.#responseHeader ??= new Headers();
    return this.#responseHeader;
  }

  get responseTrailer(): Headers {
    this.#responseTrailer ??= new Headers();
    return this.#responseTrailer;
  }

  get values(): ContextValues {
    this.#values ??= createContextValues();
    return this.#values;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#abortReason !== undefined) this.#controller.abort(this.#abortReason);
    }
    return this.#controller.signal;
  }

  /** What the service has set, if it has touched them. */
  get sentHeader(): Headers | undefined {
    return this.#responseHeader;
  }

  /** @see sentHeader */
  get sentTrailer(): Headers | undefined {
    return this.#responseTrailer;
  }

  /** The signal if anybody has asked for it. */
  get usedSignal(): AbortSignal | undefined {
    return this.#controller?.signal;
  }

  /** Aborts the signal, also one that is asked for later. */
  abort(reason: unknown): void {
    this.#abortReason = reason;
    this.#controller?.abort(reason);
  }
}

/** Converts the headers of a request, without the pseudo headers of HTTP/2. */
export function toWebHeaders(headers: IncomingHttpHeaders): Headers {
  const result = new Headers();
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined || name.startsWith(':')) continue;
    if (Array.isArray(value)) for (const one of value) result.append(name, one);
    else result.set(name, value);
  }
  return result;
}
