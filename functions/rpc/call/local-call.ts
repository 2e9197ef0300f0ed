import type { IncomingHttpHeaders } from 'node:http2';
import type { Message } from '@bufbuild/protobuf';
import { ConnectError, type ContextValues, createContextValues } from '@connectrpc/connect';
import { canceled, withoutCause } from '../errors.ts';
import { type CallTrace, traceKey } from '../telemetry/trace.ts';
import { Call } from './call.ts';
import { clientKey } from './client-name.ts';
import type { Connection } from './connection.ts';
import { CallContext } from './context.ts';
import { type Input, invokeMany, invokeSingle, single } from './invoke.ts';
import type { Method } from './methods.ts';
import type { CallPolicy } from './policy.ts';

/** What a caller within the process sets for a call. */
export interface LocalCallOptions {
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number | undefined;
  readonly headers: Headers;
  readonly contextValues: ContextValues | undefined;
}

/** A call from within the process, like any other; but no message becomes bytes, and promises tell how it ended. */
export class LocalCall extends Call {
  readonly context: CallContext;
  readonly #method: Method;
  readonly #values: ContextValues | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #admission = Promise.withResolvers<void>();
  /** Rejects what waits for something of this call, when that ends early. */
  readonly #waiting = new Set<(error: ConnectError) => void>();
  readonly #onGone: () => void;
  /** What the caller is told of the end. */
  #told: ConnectError | undefined;
  #isGone = false;

  /** `onGone`: told once, when the call is over. */
  constructor(
    method: Method,
    options: LocalCallOptions,
    connection: Connection,
    policy: CallPolicy,
    onGone: () => void,
  ) {
    const { signal, timeoutMs, headers, contextValues } = options;
    const { path, isUntimed, spec } = method;
    const start = { protocol: 'local', path, method: spec.method, askedMs: timeoutMs, isUntimed };
    const plain: IncomingHttpHeaders = Object.fromEntries(headers);
    super({ ...start, headers: plain, connection }, policy);
    this.context = new CallContext(this, spec.method, { method: 'POST', url: path });
    this.#method = method;
    this.#signal = signal;
    this.#onGone = onGone;
    if (contextValues?.get(clientKey) === '') contextValues.set(clientKey, super.values.get(clientKey));
    this.#values = contextValues && this.trace ? withTrace(contextValues, this.trace) : contextValues;
  }

  override get values(): ContextValues {
    return this.#values ?? super.values;
  }

  /** Lets the call in. @throws the ConnectError that it is refused with */
  admit(): Promise<void> {
    // The caller need not look at it: the log has been told.
    this.#admission.promise.catch(() => {});
    if (this.#signal?.aborted) this.#onAbort();
    else this.#signal?.addEventListener('abort', this.#onAbort, { once: true });
    if (!this.isOver) this.begin();
    return this.#admission.promise;
  }

  /** Calls a method that returns one message. @throws the ConnectError that the call ends with */
  async single(input: Input): Promise<Message> {
    const { spec } = this.#method;
    if (spec.kind !== 'unary' && spec.kind !== 'client_streaming')
      throw new TypeError(`${spec.kind} is a stream`);
    try {
      const isStream = Symbol.asyncIterator in input;
      if (!isStream) this.receivedMessages = 1;
      const whole = isStream ? this.#requests(input) : input;
      const output = await this.#orEnd(async () =>
        invokeSingle(spec, whole, this.context, this.policy.interceptors),
      );
      if (this.#told !== undefined) throw this.#told;
      this.sentMessages = 1;
      this.succeed();
      return output;
    } catch (thrown) {
      throw this.#failed(thrown);
    } finally {
      this.#end();
    }
  }

  /**
   * Calls a method that returns a stream. Resolves once it has answered for the first time, or failed: then its headers
   * are set. The messages throw the ConnectError that the call ends with.
   */
  async many(requests: AsyncIterable<Message>): Promise<AsyncGenerator<Message, void, undefined>> {
    const messages = this.#messages(requests);
    const first = messages.next();
    await first.catch(() => {}); // `again` throws it
    return again(first, messages);
  }

  async *#messages(requests: AsyncIterable<Message>): AsyncGenerator<Message, void, undefined> {
    const { spec } = this.#method;
    if (spec.kind === 'unary' || spec.kind === 'client_streaming')
      throw new TypeError(`${spec.kind} is no stream`);
    let messages: AsyncIterator<Message> | undefined;
    try {
      const takesStream = spec.kind === 'bidi_streaming';
      const input = takesStream
        ? this.#requests(requests)
        : await this.#orEnd(() => single(requests, 'MISSING_MESSAGE'));
      if (!takesStream) this.receivedMessages = 1;
      const output = await this.#orEnd(async () =>
        invokeMany(spec, input, this.context, this.policy.interceptors),
      );
      const iterator = output[Symbol.asyncIterator]();
      messages = iterator;
      for (;;) {
        const { done, value } = await this.#orEnd(() => iterator.next());
        if (done) break;
        this.sentMessages += 1;
        yield value;
      }
      messages = undefined;
      if (this.#told !== undefined) throw this.#told;
      this.succeed();
    } catch (thrown) {
      throw this.#failed(thrown);
    } finally {
      if (!this.isOver) this.abort(canceled()); // its reader has stopped
      // Not awaited: an iterator that hangs in next() would never come back from return().
      messages?.return?.()?.catch(() => {});
      this.#end();
    }
  }

  /** What the caller sends, until the call ends. */
  async *#requests(requests: AsyncIterable<Message>): AsyncGenerator<Message, void, undefined> {
    const iterator = requests[Symbol.asyncIterator]();
    try {
      for (;;) {
        const { done, value } = await this.#orEnd(() => iterator.next());
        if (done) return;
        this.receivedMessages += 1;
        yield value;
      }
    } finally {
      iterator.return?.()?.catch(() => {});
    }
  }

  protected override enter(): void {
    if (this.trace !== undefined) this.trace.invokedAtMs = performance.now();
    this.#admission.resolve();
  }

  protected override get ownBytes(): number {
    return 0;
  }

  protected override get usedSignal(): AbortSignal | undefined {
    return this.context.usedSignal;
  }

  protected override say(error: ConnectError): void {
    const told = withoutCause(error);
    this.#told = told;
    this.#admission.reject(told);
    for (const reject of this.#waiting) reject(told);
  }

  protected override ended(error: ConnectError | undefined): void {
    if (error !== undefined) {
      this.context.abort(error);
      this.#end();
    }
  }

  protected override cut(): void {}

  protected override pause(): void {}

  protected override resume(): void {}

  /** Waits for the result of the work, or for the call's early end. */
  #orEnd<T>(work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#told !== undefined) return reject(this.#told);
      this.#waiting.add(reject);
      work()
        .then(resolve, reject)
        .finally(() => this.#waiting.delete(reject));
    });
  }

  #failed(thrown: unknown): unknown {
    this.fail(thrown);
    return this.#told ?? thrown;
  }

  #end(): void {
    this.#signal?.removeEventListener('abort', this.#onAbort);
    if (!this.isOver || this.#isGone) return;
    this.#isGone = true;
    this.gone();
    this.#onGone();
  }

  readonly #onAbort = (): void => {
    const reason: unknown = this.#signal?.reason;
    this.abort(reason instanceof ConnectError ? reason : canceled());
  };
}

/** The values of the call that this one is a part of; only the trace is its own. */
function withTrace(values: ContextValues, trace: CallTrace): ContextValues {
  const own = createContextValues().set(traceKey, trace);
  const holderOf = (key: { readonly id: symbol }) => (key.id === traceKey.id ? own : values);
  return {
    get: (key) => holderOf(key).get(key),
    set(key, value) {
      holderOf(key).set(key, value);
      return this;
    },
    delete(key) {
      holderOf(key).delete(key);
      return this;
    },
  };
}

/** A stream whose first result is there, and the rest of it. */
async function* again(
  first: Promise<IteratorResult<Message, void>>,
  rest: AsyncGenerator<Message, void, undefined>,
): AsyncGenerator<Message, void, undefined> {
  try {
    const { done, value } = await first;
    if (done) return;
    yield value;
    yield* rest;
  } finally {
    await rest.return();
  }
}
