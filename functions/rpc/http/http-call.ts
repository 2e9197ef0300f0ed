import type { CallOptions, ConnectError } from '@connectrpc/connect';
import { ExchangeCall } from '../call/exchange-call.ts';
import { isProtocolHeader } from '../call/metadata.ts';
import type { CallPolicy } from '../call/policy.ts';
import { requestIdHeader } from '../call/request-id.ts';
import { errorMetadata, httpStatusOf } from '../call/status.ts';
import { canceled, rpcError, toConnectError } from '../errors.ts';
import { headersToPassOn } from '../telemetry/propagation.ts';
import type { Exchange } from './exchange.ts';
import type { HttpRequest, HttpResource, HttpResponse } from './http-resource.ts';

/** This much text waits for more, so that short lines leave together. */
const maxWaitingCharacters = 16 * 1024;
/** How many texts are sent before looking whether this turn of the event loop is over. */
const sliceTexts = 64;

/** What a request asks for, before it is a call. */
interface Asked {
  readonly query: URLSearchParams;
  readonly isMethodAllowed: boolean;
  readonly askedMs?: number | undefined;
  readonly refusal?: ConnectError;
}

/** A request of a resource: a call like any other, in plain HTTP. */
export class HttpCall extends ExchangeCall implements HttpRequest, HttpResponse {
  status = 200;
  readonly query: URLSearchParams;
  readonly #resource: HttpResource;
  readonly #refusal: ConnectError | undefined;
  readonly #isMethodAllowed: boolean;
  readonly #controller = new AbortController();
  /** What the resource has set for this answer, by name. */
  readonly #ownHeaders = new Map<string, string>();
  #isBegun = false;
  #sentTexts = 0;
  #waiting = '';
  #isFlushDue = false;
  #room: PromiseWithResolvers<void> | undefined;

  /** `path`: of the exchange's URL, without the query. */
  constructor(exchange: Exchange, path: string, resource: HttpResource, policy: CallPolicy) {
    const { query, isMethodAllowed, askedMs, refusal } = ask(
      exchange,
      path,
      resource,
      policy.limits.maxQueryParameters,
    );
    const { isQuiet } = resource;
    super(
      { protocol: 'http', path, method: undefined, askedMs, isUntimed: false, isQuiet },
      exchange,
      policy,
    );
    this.query = query;
    this.#resource = resource;
    this.#refusal = refusal;
    this.#isMethodAllowed = isMethodAllowed;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Begins the call: the resource answers once the gate has let it in. */
  start(): void {
    this.exchange.receive(this);
    this.begin(this.#refusal);
  }

  callOptions(): CallOptions {
    const headers = new Headers({ [requestIdHeader]: this.requestId });
    for (const [name, value] of Object.entries(this.headers)) {
      if (value !== undefined && !isProtocolHeader(name)) headers.set(name, String(value));
    }
    // They are a part of this call.
    const ofTrace = headersToPassOn(this.trace, (name) => headers.get(name));
    for (const name of ['tracestate', 'baggage']) headers.delete(name);
    for (const [name, value] of Object.entries(ofTrace)) headers.set(name, value);
    const timeoutMs = Math.max(1, this.deadlineAtMs - performance.now());
    return { signal: this.signal, timeoutMs, headers, contextValues: this.values };
  }

  /** Whether something of the answer was handed over. */
  get isBegun(): boolean {
    return this.#isBegun || this.#waiting !== '';
  }

  setHeader(name: string, value: string): void {
    this.#ownHeaders.set(name, value);
  }

  send(part: string | Uint8Array): Promise<void> | undefined {
    if (this.isOver) return undefined;
    if (typeof part !== 'string') return this.#flush(part) ? undefined : this.#waitForRoom();
    this.#waiting += part;
    this.#sentTexts += 1;
    if (this.#waiting.length >= maxWaitingCharacters) {
      if (!this.#flush()) return this.#waitForRoom();
    } else if (!this.#isFlushDue) {
      this.#isFlushDue = true;
      process.nextTick(() => this.#flushInTime());
    }
    const { turns } = this.policy;
    return this.#sentTexts % sliceTexts === 0 && turns.isOver ? turns.next() : this.#room?.promise;
  }

  /** A resource takes no body: what comes is not read. */
  received(): void {}

  receivedAll(): void {}

  protected override get usedSignal(): AbortSignal {
    return this.signal;
  }

  protected override enter(): void {
    if (this.trace !== undefined) this.trace.invokedAtMs = performance.now();
    this.#resource
      .answer(this, this)
      .then(() => this.#finish())
      .catch((thrown) => this.fail(thrown));
  }

  protected override say(error: ConnectError): void {
    if (!this.isBegun) {
      this.status = this.#isMethodAllowed ? httpStatusOf(error.code) : 405;
      // Such as the length of what was to be sent.
      this.#ownHeaders.clear();
    }
    const text = this.#resource.errorText(error, this, this);
    this.#begin(errorMetadata(error, undefined));
    this.exchange.end(Buffer.from(this.#waiting + text));
  }

  protected override ended(error: ConnectError | undefined): void {
    // Also of a good end: calls of its own that it has not read to their end would go on.
    this.#controller.abort(error ?? canceled());
    this.roomAgain();
  }

  protected override roomAgain(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }

  #finish(): void {
    if (this.isOver) return;
    this.hold(this.#waiting.length);
    this.#begin();
    this.exchange.end(Buffer.from(this.#waiting));
    this.succeed();
  }

  #begin(metadata: Iterable<[string, string]> = []): void {
    if (this.#isBegun) return;
    this.#isBegun = true;
    const headers = [':status', String(this.status), requestIdHeader, this.requestId];
    const { headers: common } = this.#resource;
    for (let at = 0; at < common.length; at += 2) {
      const [name = '', value = ''] = [common[at], common[at + 1]];
      if (!this.#ownHeaders.has(name)) headers.push(name, value);
    }
    for (const [name, value] of this.#ownHeaders) headers.push(name, value);
    if (this.status === 405) headers.push('allow', this.#resource.methods.join(', '));
    for (const [name, value] of metadata) headers.push(name, value);
    this.exchange.sendHeaders(headers, false);
  }

  #flushInTime(): void {
    this.#isFlushDue = false;
    if (this.isOver || this.#waiting === '') return;
    try {
      if (!this.#flush()) this.#waitForRoom();
    } catch (thrown) {
      this.fail(thrown);
    }
  }

  /** Sends what waits, and then bytes. False: there is no room for more. */
  #flush(bytes?: Uint8Array): boolean {
    this.#begin();
    const text = Buffer.from(this.#waiting);
    this.#waiting = '';
    if (bytes === undefined) return this.sendOrWait(text);
    return this.sendOrWait(text.length === 0 ? bytes : Buffer.concat([text, bytes]));
  }

  #waitForRoom(): Promise<void> {
    this.#room ??= Promise.withResolvers<void>();
    return this.#room.promise;
  }
}

function ask(exchange: Exchange, path: string, resource: HttpResource, maxParameters: number): Asked {
  const text = exchange.url.slice(path.length);
  // Counted before they are made.
  const isTooLong = text.split('&', maxParameters + 1).length > maxParameters;
  const query = new URLSearchParams(isTooLong ? '' : text);
  const method = exchange.method === 'HEAD' ? 'GET' : exchange.method;
  const isMethodAllowed = resource.methods.includes(method);
  if (!isMethodAllowed) return { query, isMethodAllowed, refusal: rpcError('METHOD_NOT_ALLOWED') };
  if (isTooLong) {
    return { query, isMethodAllowed, refusal: rpcError('BAD_QUERY', `at most ${maxParameters} parameters`) };
  }
  try {
    return { query, isMethodAllowed, askedMs: resource.askedMs?.(query) };
  } catch (thrown) {
    return { query, isMethodAllowed, refusal: toConnectError(thrown, undefined) };
  }
}
