import { randomUUID } from 'node:crypto';
import {
  type CallOptions,
  type Client,
  createClient,
  type Interceptor,
  type Transport,
} from '@connectrpc/connect';
import { Health } from '../proto/gen/health/v1/health_pb.js';
import { Users } from '../proto/gen/users_pb.js';
import { ready, type ServingStatus, servingStatus } from './call/health.ts';
import { bearer, checkedMetadata, type Metadata, type Token } from './call/metadata.ts';
import { type RetryPolicy, retrying } from './call/retry.ts';
import { parseAddress } from './connection/dial.ts';
import type { TlsOptions } from './connection/trust.ts';
import { defaults } from './defaults.ts';
import { openTransport, type Protocol } from './transport/transport.ts';

export { UsersError, type Violation } from './call/call-error.ts';

/** How to reach the service. Everything has a default: see `defaults`. */
export interface UsersClientOptions {
  /** `http://host:port` or `https://host:port`. */
  readonly endpoint?: string;
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
  /** Metadata of every call; a call's own replaces it, key by key. Values of `-bin` keys are base64. 60 KiB at most, both together. */
  readonly metadata?: Metadata;
  /** The deadline of calls that set no `timeoutMs`; 0 means none. Default 30 s. */
  readonly deadlineMs?: number;
  /** Default: 5 attempts, also where nobody listens; random waits of up to 300 ms, doubled up to 2 s: some 2 s together. */
  readonly retry?: Partial<RetryPolicy>;
  /** How long a connection may take to open. Default 5 s. */
  readonly connectTimeoutMs?: number;
  /** How long a connection stays open without a call. Default 50 s: an ALB closes it after 60 s. */
  readonly idleTimeoutMs?: number;
  /** Run for every attempt, after the token and the metadata are added. What they add is not checked. */
  readonly interceptors?: readonly Interceptor[];
}

/**
 * Calls the Users service. Options of a call are connect's: `timeoutMs` (0 means no deadline), `headers`, `signal`,
 * `onHeader`, `onTrailer`. Whatever a call throws is a UsersError.
 */
export interface UsersClient extends Client<typeof Users>, Disposable {
  /**
   * Signs a user up. Sends a `request_id` if the request has none, so that a retry finds the user that the first
   * attempt made; give your own to repeat the call later.
   */
  createUser: Client<typeof Users>['createUser'];
  /** Streams one result for each requested user. The call starts with the first read; leaving the loop cancels it. */
  getUsers: Client<typeof Users>['getUsers'];
  /** What the server says of its health, or of a service's (`Users`). */
  health(service?: string, options?: CallOptions): Promise<ServingStatus>;
  /** Waits, 10 s by default, until the server is there and says SERVING; else throws UNAVAILABLE. */
  ready(options?: { timeoutMs?: number; signal?: AbortSignal }): Promise<void>;
  /** For clients of other services on the same connection, such as reflection. Their methods must be repeatable. */
  readonly transport: Transport;
  /** Ends the calls and the connection, for good. An idle connection never keeps the process alive. */
  close(): void;
}

/**
 * A client of the Users service; it connects with its first call.
 *
 * @throws TypeError for options that can't be meant, and UsersError INVALID_ARGUMENT or RESOURCE_EXHAUSTED for such metadata.
 */
export function createUsersClient(options: UsersClientOptions = {}): UsersClient {
  const { deadlineMs = defaults.deadlineMs, token } = options;
  const address = parseAddress(options.endpoint ?? defaults.endpoint, options.serverName, options.tls);
  if (token !== undefined && !address.secure && !/^(localhost|127\..*|::1)$/.test(address.host)) {
    throw new TypeError(`a token is not sent to ${address.origin}, where anybody could read it: use https`);
  }
  const metadata = checkedMetadata(options.metadata);
  const { transport: plain, close } = openTransport(address, {
    protocol: options.protocol ?? 'grpc',
    httpVersion: options.httpVersion ?? '2',
    timeouts: {
      connectTimeoutMs: options.connectTimeoutMs ?? defaults.connectTimeoutMs,
      idleTimeoutMs: options.idleTimeoutMs ?? defaults.idleTimeoutMs,
    },
    interceptors: [...(token === undefined ? [] : [bearer(token)]), ...(options.interceptors ?? [])],
  });
  const policy = {
    maxAttempts: options.retry?.maxAttempts ?? defaults.maxAttempts,
    initialBackoffMs: options.retry?.initialBackoffMs ?? defaults.initialBackoffMs,
    maxBackoffMs: options.retry?.maxBackoffMs ?? defaults.maxBackoffMs,
  };
  const transport = retrying(plain, policy, deadlineMs, metadata);
  const users = createClient(Users, transport);
  const health = createClient(Health, transport);
  return {
    transport,
    createUser: (request, callOptions) =>
      users.createUser({ ...request, requestId: request.requestId || randomUUID() }, callOptions),
    async *getUsers(request, callOptions) {
      // connect leaves a stream that nobody reads any more open until its deadline.
      const left = new AbortController();
      const signal = callOptions?.signal ? AbortSignal.any([callOptions.signal, left.signal]) : left.signal;
      const results = users.getUsers(request, { ...callOptions, signal })[Symbol.asyncIterator]();
      try {
        for (let next = await results.next(); !next.done; next = await results.next()) yield next.value;
      } finally {
        left.abort();
        // connect stops its timer, which would keep the process alive, when it is asked once more after an abort.
        await results.next().catch(() => {});
      }
    },
    async health(service = '', callOptions) {
      return servingStatus((await health.check({ service }, callOptions)).status);
    },
    ready: (readyOptions) => ready(plain, address.origin, metadata, readyOptions),
    close,
    [Symbol.dispose]: close,
  };
}
