import type { DescMethod, DescService, Message } from '@bufbuild/protobuf';
import { MethodOptions_IdempotencyLevel as Idempotency } from '@bufbuild/protobuf/wkt';
import {
  type CallOptions,
  type Client,
  type ConnectError,
  createClient,
  type Interceptor,
  makeAnyClient,
  type Transport,
} from '@connectrpc/connect';
import { Health } from '../../proto/gen/health/v1/health_pb.js';
import { parseAddress } from '../connection/address.ts';
import type { Keepalive } from '../connection/keepalive.ts';
import type { TlsOptions } from '../connection/trust.ts';
import { defaults } from '../defaults.ts';
import type { IamOptions } from '../transport/signing.ts';
import { openTransport, type Protocol } from '../transport/transport.ts';
import type { CallError } from './call-error.ts';
import { toCallError } from './failure.ts';
import { ready, type ServingStatus, servingStatus } from './health.ts';
import { bearer, checkedMetadata, type Metadata, type Token } from './metadata.ts';
import { type RetryPolicy, retrying } from './retry.ts';
import { spansBy, type Tracer } from './tracing.ts';

/** How to reach a service, and how to call it. All but the endpoint has a default: see `defaults`. */
export interface ClientOptions {
  /**
   * `http://host:port`, `https://host:port` or `unix:/path`. TLS to another machine goes through the proxy that
   * `https_proxy` and `no_proxy` of the environment name, if any.
   */
  readonly endpoint: string;
  /** Default grpc. */
  readonly protocol?: Protocol;
  /** Default 2; 1.1 is for grpc-web and connect. */
  readonly httpVersion?: '1.1' | '2';
  /** A private authority to trust, and the client's own certificate. */
  readonly tls?: TlsOptions;
  /** Whom to call and to find in the certificate, if that is not the endpoint's host. */
  readonly serverName?: string;
  /** A bearer token; a function is asked before every attempt. Sent over TLS, and without it to this machine only. */
  readonly token?: Token;
  /**
   * Signs each attempt for an endpoint of AWS that asks for IAM: for the region in its name, with the credentials that
   * the AWS SDK finds, unless they are given. The protocol is connect or grpc-web, over HTTP/1.1. Default: no signature.
   */
  readonly iam?: IamOptions;
  /**
   * Metadata of every call; a call's own replaces it, key by key. Values of `-bin` keys are base64. 60 KiB at most,
   * both together.
   */
  readonly metadata?: Metadata;
  /** The deadline of calls that set no `timeoutMs`; 0 means none. Default 30 s. */
  readonly deadlineMs?: number;
  /**
   * Default: 5 attempts, also where nobody listens; random waits of up to 300 ms, doubled up to 2 s: some 2 s together.
   */
  readonly retry?: Partial<RetryPolicy>;
  /**
   * Whether this request of the method may be sent again when it may have been carried out already. Default: what the
   * proto file marks with `idempotency_level`. A call that no server has begun is always sent again.
   */
  readonly repeatable?: (method: DescMethod, request: Message) => boolean;
  /** How long a connection may take to open. Default 5 s. */
  readonly connectTimeoutMs?: number;
  /** How long a connection stays open without a call. Default 50 s: an ALB closes it after 60 s. */
  readonly idleTimeoutMs?: number;
  /** How a connection notices that the other side is gone. Default: a PING after 5 minutes of silence in a call. */
  readonly keepalive?: Partial<Keepalive>;
  /** Run for every attempt, after the token and the metadata are added. What they add is not checked. */
  readonly interceptors?: readonly Interceptor[];
  /**
   * Makes a span of each call, with its retries, and sends its place in the trace along, as `traceparent` and
   * `tracestate`: `trace.getTracer('my-app')` of `@opentelemetry/api` fits. `baggage` is metadata like any other.
   * Default: no spans.
   */
  readonly tracer?: Tracer;
  /** What calls fail with, for a client that gives its errors a name of its own. Default CallError. */
  readonly errorClass?: new (
    error: ConnectError,
  ) => CallError;
}

/** What every client has beside the methods of its service. */
export interface Connected extends Disposable {
  /** What the server says of its health, or of a service's. */
  health(service?: string, options?: CallOptions): Promise<ServingStatus>;
  /** Waits, 10 s by default, until the server is there and says SERVING; else throws UNAVAILABLE. */
  ready(options?: { timeoutMs?: number; signal?: AbortSignal }): Promise<void>;
  /** For clients of other services on the same connection, such as reflection. */
  readonly transport: Transport;
  /** Ends the calls and the connection, for good. An idle connection never keeps the process alive. */
  close(): void;
}

/** A client of any service. */
export interface ServiceClient<S extends DescService> extends Connected {
  /**
   * The methods of the service. Options of a call are connect's: `timeoutMs` (0 means no deadline), `headers`,
   * `signal`, `onHeader`, `onTrailer`. A stream's call starts with the first read; leaving the loop cancels it.
   */
  readonly call: Client<S>;
}

/**
 * A client of the service; it connects with its first call. Whatever a call throws is a CallError.
 *
 * @throws TypeError for options that can't be meant, and CallError INVALID_ARGUMENT or RESOURCE_EXHAUSTED for metadata
 * that can't be sent.
 */
export function openClient<S extends DescService>(service: S, options: ClientOptions): ServiceClient<S> {
  const { deadlineMs = defaults.deadlineMs, token, repeatable = isIdempotent, errorClass, tracer } = options;
  const failure = (reason: unknown, timeoutMs?: number) => {
    const error = toCallError(reason, timeoutMs);
    return errorClass === undefined || error instanceof errorClass ? error : new errorClass(error);
  };
  const address = parseAddress(options.endpoint, options.serverName, options.tls);
  if (token !== undefined && !address.secure && !address.isLocal) {
    throw new TypeError(`a token is not sent to ${address.origin}, where anybody could read it: use https`);
  }
  if (token !== undefined && options.iam !== undefined) {
    throw new TypeError('token and iam exclude each other: both are said in the header authorization');
  }
  const metadata = acceptedMetadata(options.metadata, failure);
  const { transport: plain, close } = openTransport(address, {
    protocol: options.protocol ?? 'grpc',
    httpVersion: options.httpVersion ?? '2',
    connection: {
      connectTimeoutMs: options.connectTimeoutMs ?? defaults.connectTimeoutMs,
      idleTimeoutMs: options.idleTimeoutMs ?? defaults.idleTimeoutMs,
      keepalive: {
        timeMs: options.keepalive?.timeMs ?? defaults.keepaliveTimeMs,
        timeoutMs: options.keepalive?.timeoutMs ?? defaults.keepaliveTimeoutMs,
        whileIdle: options.keepalive?.whileIdle ?? false,
      },
    },
    iam: options.iam,
    interceptors: [...(token === undefined ? [] : [bearer(token)]), ...(options.interceptors ?? [])],
  });
  const transport = retrying(plain, {
    maxAttempts: options.retry?.maxAttempts ?? defaults.maxAttempts,
    initialBackoffMs: options.retry?.initialBackoffMs ?? defaults.initialBackoffMs,
    maxBackoffMs: options.retry?.maxBackoffMs ?? defaults.maxBackoffMs,
    maxTokens: options.retry?.maxTokens ?? defaults.maxRetryTokens,
    tokenRatio: options.retry?.tokenRatio ?? defaults.retryTokenRatio,
    repeatable: (method, request) =>
      method.parent.typeName === Health.typeName || repeatable(method, request),
    deadlineMs,
    metadata,
    beginSpan: tracer && spansBy(tracer, options.protocol ?? 'grpc', address),
    failure,
  });
  const health = createClient(Health, transport);
  return {
    call: createLazyClient(service, transport),
    transport,
    async health(name = '', callOptions) {
      return servingStatus((await health.check({ service: name }, callOptions)).status);
    },
    async ready(readyOptions) {
      await ready(plain, address.name, metadata, readyOptions).catch((reason) => {
        throw failure(reason);
      });
    },
    close,
    [Symbol.dispose]: close,
  };
}

function acceptedMetadata(metadata: Metadata, failure: (reason: unknown) => CallError): Headers {
  try {
    return checkedMetadata(metadata);
  } catch (reason) {
    throw failure(reason);
  }
}

function isIdempotent(method: DescMethod): boolean {
  return method.idempotency !== Idempotency.IDEMPOTENCY_UNKNOWN;
}

/** connect's client, but a stream begins with the first read, and ends when its reader leaves it. */
function createLazyClient<S extends DescService>(service: S, transport: Transport): Client<S> {
  const eager: Record<string, unknown> = createClient<DescService>(service, transport);
  const client = makeAnyClient(service, (method) => {
    const call = eager[method.localName];
    if (!isMethod(call)) return null;
    const streams = method.methodKind === 'server_streaming' || method.methodKind === 'bidi_streaming';
    return streams ? (request, options) => leavable(call, request, options) : call;
  });
  // The names and kinds of the methods come from the descriptor: no type can follow. connect does the same.
  return client as Client<S>;
}

type StreamMethod = (request: unknown, options?: CallOptions) => AsyncIterable<unknown>;

function isMethod(value: unknown): value is StreamMethod {
  return typeof value === 'function';
}

async function* leavable(call: StreamMethod, request: unknown, options?: CallOptions) {
  // connect leaves a stream that nobody reads any more open until its deadline.
  const left = new AbortController();
  const signal = options?.signal ? AbortSignal.any([options.signal, left.signal]) : left.signal;
  const messages = call(request, { ...options, signal })[Symbol.asyncIterator]();
  try {
    for (let next = await messages.next(); !next.done; next = await messages.next()) yield next.value;
  } finally {
    left.abort();
    // connect stops its timer, which would keep the process alive, when it is asked once more after an abort.
    await messages.next().catch(() => {});
  }
}
