import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { DescService } from '@bufbuild/protobuf';
import type { ConnectError, Interceptor, Transport } from '@connectrpc/connect';
import { type AuthOptions, authGate, inTurn } from './auth/auth-gate.ts';
import type { ScopeTable } from './auth/scopes.ts';
import { createAccessLog, type Log } from './call/access-log.ts';
import { Call } from './call/call.ts';
import type { MetadataDetail } from './call/call-line.ts';
import type { CallObserver } from './call/call-record.ts';
import { Clients } from './call/clients.ts';
import { DeadlineWheel } from './call/deadline-wheel.ts';
import type { Gate } from './call/gate.ts';
import { createLocalTransport, LocalCalls } from './call/local-transport.ts';
import { MemoryBudget } from './call/memory-budget.ts';
import { type AddServices, collectMethods, methodsByPath, servicesOf, typesOf } from './call/methods.ts';
import type { CallPolicy } from './call/policy.ts';
import { Quota } from './call/quota.ts';
import { Turns } from './call/turns.ts';
import { draining } from './errors.ts';
import type { HttpResource } from './http/http-resource.ts';
import { type RpcLimits, rpcLimits } from './limits.ts';
import type { ElementLimit } from './message/measure.ts';
import { Port, type TlsOptions } from './port/port.ts';
import { Router } from './router.ts';
import { Health, healthzOf, measureReadiness, readyzOf } from './standard/health.ts';
import { standardScopes, standardServices, untimedPaths } from './standard/services.ts';
import { createCallMetrics } from './telemetry/call-metrics.ts';
import type { Metrics } from './telemetry/metrics.ts';
import { showServer } from './telemetry/server-metrics.ts';
import { Tracing, type TracingOptions } from './telemetry/tracing.ts';

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
  /** Origins whose browsers may call. Default: none. */
  readonly corsOrigins?: readonly string[];
  /**
   * How many proxies stand in front. Each adds the address that it saw to `x-forwarded-for`; shares are counted by the
   * one that the outermost proxy saw. Default: none, and the header is ignored.
   */
  readonly trustedProxies?: number;
  /** The clock of quotas, in ms. Default: `performance.now`. */
  readonly now?: () => number;
  /** Makes what answers plain HTTP requests besides /healthz and /readyz, with calls by the transport. Default: nothing. */
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

/** Serves connect services as gRPC, gRPC-Web and Connect on one port, with health and reflection. */
export class RpcServer {
  /** The health of the server and its services: set it when a service is out of order, for example. */
  readonly health: Health;
  /** For callers within the process. Their calls have the same gate, interceptors, deadlines, drain and log as all. */
  readonly local: Transport;
  readonly #limits: RpcLimits;
  readonly #policy: CallPolicy;
  readonly #port: Port;
  readonly #localCalls = new LocalCalls();
  #isDraining = false;

  /** @throws Error when two services have the same method, or one has no row in the table of scopes. */
  constructor(options: RpcServerOptions) {
    this.#limits = { ...rpcLimits, ...options.limits };
    this.#policy = createPolicy(options, this.#limits);
    const { auth, gate } = options;
    const specs = collectMethods(options.routes);
    const services = servicesOf(specs);
    this.health = new Health(services.map((it) => it.typeName));
    if (options.telemetry?.metrics) measureReadiness(this.health, options.telemetry.metrics);
    const own = collectMethods(standardServices(this.health, services));
    const methods = methodsByPath([...specs, ...own], typesOf(services), {
      limits: this.#limits,
      elementLimits: options.elementLimits ?? [],
      untimedPaths,
    });
    this.local = createLocalTransport(methods, this.#policy, this.#localCalls);
    const facts: ServerFacts = {
      services: [...services, ...servicesOf(own)],
      scopes: scopesOf(auth),
      knowsCallers: auth !== undefined && auth.ways.length > 0,
      health: this.health,
      usage: () => this.usage,
    };
    const probes = [healthzOf(this.health), readyzOf(this.health)];
    const resources = [...probes, ...(options.http?.(this.local, facts) ?? [])];
    const router = new Router(methods, resources, options.corsOrigins ?? [], this.#policy);
    if (auth !== undefined) {
      const paths = [...methods.keys(), ...resources.flatMap((it) => it.paths)];
      this.#policy.gate = inTurn(authGate(paths, scopesOf(auth), auth.ways), gate);
    }
    const { clients, memory, trustedProxies } = this.#policy;
    this.#port = new Port((exchange) => router.accept(exchange), {
      limits: this.#limits,
      clients,
      memory,
      isBehindProxies: trustedProxies > 0,
      tls: options.tls,
      log: options.log,
    });
    if (options.telemetry?.metrics !== undefined) this.#show(options.telemetry.metrics);
  }

  /** What is in use now, to be watched: nothing, once all is over. */
  get usage(): Usage {
    const { memory, clients, untimedCalls } = this.#policy;
    return { heldBytes: memory.heldBytes, clients: clients.count, watches: untimedCalls.count };
  }

  /**
   * Starts to listen. Port 0 takes any free one, and the host `unix:/PATH` a socket of this machine, without a port. Rejects
   * with the system's error.
   */
  listen(options: { host: string; port: number }): Promise<AddressInfo> {
    return this.#port.listen(options);
  }

  /**
   * Gives new connections another certificate, such as a renewed one. No call is lost.
   *
   * @throws Error if it can't be used
   */
  renewTls(tls: TlsOptions): void {
    this.#port.renewTls(tls);
  }

  /**
   * Ends the server without failing a call. It says NOT_SERVING to health checks, goes on for `drainDelayMs` until the
   * load balancer has noticed, refuses new connections, and waits for running calls. Calls that last longer than
   * `drainTimeoutMs` end with UNAVAILABLE. Resolves when all connections are closed.
   */
  async drain(): Promise<void> {
    const { drainDelayMs, drainTimeoutMs, flushTimeoutMs } = this.#limits;
    this.#isDraining = true;
    this.health.shutDown();
    if (drainDelayMs > 0) await delay(drainDelayMs);
    const closed = this.#port.close();
    // Watches would not end by themselves.
    this.#abort(draining, true);
    const done = Promise.all([closed, this.#localCalls.whenIdle()]);
    const isInTime = await within(done, drainTimeoutMs);
    if (isInTime) return;
    this.#abort(draining, false);
    if (!(await within(closed, flushTimeoutMs))) this.#port.destroy();
    await closed;
  }

  /** Ends the server at once: running calls are cut. */
  async close(): Promise<void> {
    this.#isDraining = true;
    this.health.shutDown();
    const closed = this.#port.close();
    this.#abort(draining, false);
    this.#port.destroy();
    await closed;
  }

  #show(metrics: Metrics): void {
    const server = this;
    showServer(metrics, {
      counts: this.#port.counts,
      get usage() {
        return server.usage;
      },
      get isDraining() {
        return server.#isDraining;
      },
    });
  }

  /** Ends every running call; with `untimedOnly`, only those that last as long as their client wants. */
  #abort(reason: ConnectError, untimedOnly: boolean): void {
    for (const it of this.#policy.wheel.list()) {
      if (it instanceof Call && (it.isUntimed || !untimedOnly)) it.abort(reason);
    }
  }
}

function createPolicy(options: RpcServerOptions, limits: RpcLimits): CallPolicy {
  const { gate, interceptors = [], keepsMessages = false, log, trustedProxies = 0 } = options;
  const { maxRefusedLinesPerSecond } = limits;
  const metadata = options.logMetadata ?? 'keys';
  const knowsCallers = options.auth !== undefined && options.auth.ways.length > 0;
  const accessLog = log && createAccessLog(log, { metadata, maxRefusedLinesPerSecond, knowsCallers });
  const { metrics, observers = [], tracing } = options.telemetry ?? {};
  return {
    gate,
    interceptors,
    keepsMessages,
    trustedProxies,
    limits,
    observers: [
      ...(accessLog ? [accessLog] : []),
      ...(metrics ? [createCallMetrics(metrics)] : []),
      ...observers,
    ],
    tracing: tracing && new Tracing(tracing),
    wheel: new DeadlineWheel(),
    memory: new MemoryBudget(limits),
    strangers: knowsCallers ? { heldBytes: 0 } : undefined,
    clients: new Clients(),
    turns: new Turns(),
    untimedCalls: { count: 0 },
    quota: limits.tokensPerSecondPerCaller > 0 ? new Quota(limits, options.now) : undefined,
    openPaths: openPathsOf(options.auth),
  };
}

function scopesOf(auth: AuthOptions | undefined): ScopeTable {
  return { ...auth?.scopes, ...standardScopes(auth?.isReflectionOpen ?? false) };
}

/** What everybody may call, whoever it is. */
function openPathsOf(auth: AuthOptions | undefined): ReadonlySet<string> {
  const scopes = Object.entries(scopesOf(auth));
  return new Set(scopes.filter(([, row]) => row === 'open').map(([path]) => path));
}

/** Whether it resolves within the time. */
async function within(work: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  const timer = new AbortController();
  const late = delay(timeoutMs, false, { signal: timer.signal }).catch(() => false);
  const isInTime = await Promise.race([work.then(() => true), late]);
  timer.abort();
  return isInTime;
}
