import type { IncomingHttpHeaders } from 'node:http2';
import type { DescMethod, DescService } from '@bufbuild/protobuf';
import type { ContextValues, HandlerContext } from '@connectrpc/connect';
import type { Call } from './call.ts';
import { requestIdHeader } from './request-id.ts';
import type { SentMetadata } from './wire.ts';

/** What a context must know of the request. */
export interface ContextOrigin {
  /** The HTTP method. */
  readonly method: string;
  /** Path and query. */
  readonly url: string;
}

/**
 * The context of a call, as connect's handlers and interceptors know it. `Headers`, the signal and the values are made
 * when first touched: together they cost more than the rest of a small call.
 */
export class CallContext implements HandlerContext, SentMetadata {
  readonly method: DescMethod;
  readonly #call: Call;
  readonly #origin: ContextOrigin;
  #requestHeader: Headers | undefined;
  #responseHeader: Headers | undefined;
  #responseTrailer: Headers | undefined;
  #controller: AbortController | undefined;
  #abortReason: unknown;
  /** Who is called back once it is aborted. */
  #waiting: ((reason: unknown) => void)[] | undefined;

  constructor(call: Call, method: DescMethod, origin: ContextOrigin) {
    this.method = method;
    this.#call = call;
    this.#origin = origin;
  }

  get service(): DescService {
    return this.method.parent;
  }

  get protocolName(): string {
    return this.#call.protocol;
  }

  get requestMethod(): string {
    return this.#origin.method;
  }

  get url(): string {
    const { ':scheme': scheme, ':authority': authority, host } = this.#call.headers;
    const isTls = this.#call.connection.tls !== undefined;
    return `${scheme ?? (isTls ? 'https' : 'http')}://${authority ?? host ?? ''}${this.#origin.url}`;
  }

  get timeoutMs(): () => number | undefined {
    const { isUntimed, deadlineAtMs } = this.#call;
    return () => (isUntimed ? undefined : deadlineAtMs - performance.now());
  }

  get requestHeader(): Headers {
    if (this.#requestHeader === undefined) {
      this.#requestHeader = toWebHeaders(this.#call.headers);
      this.#requestHeader.set(requestIdHeader, this.#call.requestId);
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
    return this.#call.values;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#abortReason !== undefined) this.#controller.abort(this.#abortReason);
    }
    return this.#controller.signal;
  }

  get sentHeader(): Headers | undefined {
    return this.#responseHeader;
  }

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
    for (let told = this.#waiting?.shift(); told !== undefined; told = this.#waiting?.shift()) {
      try {
        told(reason);
      } catch (error) {
        // As a signal does with what a listener throws: the others hear, and the call ends.
        process.nextTick(() => {
          throw error;
        });
      }
    }
  }

  /** Whether a context is one itself. What has been made of one, or stands before it, may have a signal of its own. */
  static is(context: object): context is CallContext {
    return #waiting in context;
  }

  /** @see onAbort */
  onAbort(told: (reason: unknown) => void): () => void {
    if (this.#abortReason !== undefined) told(this.#abortReason);
    else {
      this.#waiting ??= [];
      this.#waiting.push(told);
    }
    return () => {
      const place = this.#waiting?.indexOf(told) ?? -1;
      if (place >= 0) this.#waiting?.splice(place, 1);
    };
  }
}

/**
 * Calls back once a call is aborted, or at once if it is. A call that only waits needs no signal then, which with its
 * listener costs as much as a small answer. What `told` throws is uncaught, as with a signal.
 *
 * @returns what takes it back
 */
export function onAbort(
  context: Pick<HandlerContext, 'signal'>,
  told: (reason: unknown) => void,
): () => void {
  if (CallContext.is(context)) return context.onAbort(told);
  const { signal } = context;
  const listener = () => told(signal.reason);
  if (signal.aborted) listener();
  else signal.addEventListener('abort', listener);
  return () => signal.removeEventListener('abort', listener);
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
