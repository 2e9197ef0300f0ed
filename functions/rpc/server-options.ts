import type { IncomingHttpHeaders } from 'node:http2';
import type { DescService } from '@bufbuild/protobuf';
import type { Interceptor, Transport } from '@connectrpc/connect';
import type { AuthOptions } from './auth/auth-gate.ts';
import type { ScopeTable } from './auth/scopes.ts';
import type { Log } from './call/access-log.ts';
import type { MetadataDetail } from './call/call-line.ts';
import type { CallObserver } from './call/call-record.ts';
import type { Gate } from './call/gate.ts';
import type { AddServices } from './call/methods.ts';
import type { HttpResource } from './http/http-resource.ts';
import type { Http2EngineName } from './http2/engine.ts';
import type { RpcLimits } from './limits.ts';
import type { ElementLimit } from './message/measure.ts';
import type { TlsOptions } from './port/port.ts';
import type { Health } from './standard/health.ts';
import type { Metrics } from './telemetry/metrics.ts';
import type { TracingOptions } from './telemetry/tracing.ts';

/** How a server is watched. */
export interface TelemetryOptions {
  /** Where its own metrics go; each server has its own. Default: they are counted for nobody. */
  readonly metrics?: Metrics;
  /** Records in each call what happens, for `observers` to read at its end. Default: nothing is recorded. */
  readonly tracing?: TracingOptions;
  /** Are told of each call. Default: none. */
  readonly observers?: readonly CallObserver[];
}

/** What a server is made of. */
export interface RpcServerOptions {
  /** Adds the services, as connect's own servers take it: `(router) => router.service(Users, users)`. */
  readonly routes: AddServices;
  /** Who may call what. Default: everybody, everything. */
  readonly auth?: AuthOptions;
  /** Lets calls in, or refuses them, before their bodies are read, and after `auth`. Default: all are let in. */
  readonly gate?: Gate;
  /** connect interceptors around every call of every protocol, the first one outermost. Default: none. */
  readonly interceptors?: readonly Interceptor[];
  /**
   * How many elements repeated fields of requests may have, counted before they are made. Default: none of their own.
   */
  readonly elementLimits?: readonly ElementLimit[];
  /**
   * Whether methods never change a message that they have yielded. Then the messages of a stream that are ready
   * together are serialized together, which is less work. Default: they may change it.
   */
  readonly keepsMessages?: boolean;
  /** Default: those of `limits.ts`. */
  readonly limits?: Partial<RpcLimits>;
  /** Default: nothing is logged. */
  readonly log?: Log;
  /** Whether the log shows the values of harmless metadata, or names alone. Default: names. */
  readonly logMetadata?: MetadataDetail;
  /** Who watches the calls. Default: nobody but the log. */
  readonly telemetry?: TelemetryOptions;
  /** Default: plain text, HTTP/2 by prior knowledge. */
  readonly tls?: TlsOptions | undefined;
  /** What speaks HTTP/2. Default: `own`. */
  readonly http2Engine?: Http2EngineName;
  /** Origins whose browsers may call. Default: none. */
  readonly corsOrigins?: readonly string[];
  /**
   * How many proxies stand in front. Each adds the address that it saw to `x-forwarded-for`; shares are counted by the
   * one that the outermost proxy saw. Default: none, and the header is ignored.
   */
  readonly trustedProxies?: number;
  /**
   * Whether a request has come through them, by its headers: else `x-forwarded-for` says nothing, and the client is the
   * address of the connection. For servers that clients can reach past their proxies. Default: all have.
   */
  readonly isFromProxies?: ((headers: IncomingHttpHeaders) => boolean) | undefined;
  /**
   * The header in which who stands in front names each request, in lower case: those names are taken where they are
   * there, so that all logs agree. Default: `x-request-id`, which is taken in any case.
   */
  readonly requestIdHeader?: string;
  /** The clock of quotas, in ms. Default: `performance.now`. */
  readonly now?: () => number;
  /**
   * Makes what answers plain HTTP requests besides /healthz and /readyz, with calls by the transport. Default: nothing.
   */
  readonly http?: (local: Transport, facts: ServerFacts) => readonly HttpResource[];
}

/** What a server knows of itself, for resources that show it. */
export interface ServerFacts {
  /** What is served, in the order in which it was added; then health and reflection. */
  readonly services: readonly DescService[];
  /** Who may call what, by path. */
  readonly scopes: ScopeTable;
  /** Whether callers have to say who they are. */
  readonly knowsCallers: boolean;
  readonly health: Pick<Health, 'isShutDown' | 'problems'>;
  /** What is in use now. */
  usage(): Usage;
}

/** What connections and calls take at a moment of what all of them share. */
export interface Usage {
  /** What calls hold in memory, as `maxHeldBytes` counts it. */
  readonly heldBytes: number;
  /** Clients that have a connection or a call. */
  readonly clients: number;
  /** Calls that last as long as their clients want, as `maxWatches` counts them. */
  readonly watches: number;
}
