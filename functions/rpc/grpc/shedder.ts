import type { ConnectError } from '@connectrpc/connect';
import type { Admission } from '../call/admission.ts';
import type { CallObserver } from '../call/call-record.ts';
import type { Method } from '../call/methods.ts';
import type { CallPolicy } from '../call/policy.ts';
import { onceIfLasting } from '../errors.ts';
import type { EarlyRequest, Shedder } from '../http2/engine.ts';
import { plainType, protoType } from './grpc-wire.ts';
import { errorTrailers } from './status-trailers.ts';

/**
 * The response headers of a refused call, for each content type of its request: names and values in turn. A list is the
 * same one for the same refusal.
 */
const headersOf = onceIfLasting((error) => ({
  plain: headersWith(plainType, error),
  proto: headersWith(protoType, error),
}));

function headersWith(contentType: string, error: ConnectError): readonly string[] {
  return [':status', '200', 'content-type', contentType, ...errorTrailers(error, undefined).flat()];
}

/**
 * Refuses calls of gRPC that are more than can be done, before a stream or a `Call` is made of them. That takes a
 * small part of a call, so that most of the time goes into calls that are answered. It comes before the gate: to look
 * for a credential would cost more than the refusal. Such an answer has no `x-request-id`, and observers are told of
 * all of a turn at once.
 */
export class GrpcShedder implements Shedder {
  readonly #admission: Admission;
  readonly #observers: readonly CallObserver[];
  /** Methods that may be refused: health checks and watches never are. */
  readonly #paths: ReadonlySet<string>;
  /** Refused calls that observers have not been told of. */
  readonly #untold = new Map<string, number>();
  #error: ConnectError | undefined;

  constructor(
    methods: Iterable<Pick<Method, 'path' | 'isUntimed'>>,
    admission: Admission,
    { openPaths, observers }: Pick<CallPolicy, 'openPaths' | 'observers'>,
  ) {
    this.#admission = admission;
    this.#observers = observers;
    const busy = [...methods].filter(({ path, isUntimed }) => !isUntimed && !openPaths.has(path));
    this.#paths = new Set(busy.map(({ path }) => path));
  }

  /** Whether the next call is one too many. */
  get isDue(): boolean {
    return this.#admission.refusesNext;
  }

  /**
   * The headers that refuse a request, for which `isDue` holds; `undefined`: it is none of these, and takes its way.
   */
  refuse({ method, path, contentType }: EarlyRequest): readonly string[] | undefined {
    const isPlain = contentType === plainType;
    if (!isPlain && contentType !== protoType) return undefined;
    if (method !== 'POST' || !this.#paths.has(path)) return undefined;
    const error = this.#admission.refuse();
    if (this.#untold.size === 0) setImmediate(() => this.#tell());
    this.#untold.set(path, (this.#untold.get(path) ?? 0) + 1);
    this.#error = error;
    const { plain, proto } = headersOf(error);
    return isPlain ? plain : proto;
  }

  #tell(): void {
    const error = this.#error;
    if (error === undefined) return;
    for (const [path, calls] of this.#untold) {
      for (const observer of this.#observers) observer.shed?.(path, 'grpc', error, calls);
    }
    this.#untold.clear();
  }
}
