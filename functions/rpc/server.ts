import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { ConnectError, Transport } from '@connectrpc/connect';
import { authGate, inTurn } from './auth/auth-gate.ts';
import { Call } from './call/call.ts';
import { createLocalTransport, LocalCalls } from './call/local-transport.ts';
import { collectMethods, methodsByPath, servicesOf, typesOf } from './call/methods.ts';
import type { CallPolicy } from './call/policy.ts';
import { draining } from './errors.ts';
import { GrpcShedder } from './grpc/shedder.ts';
import { type RpcLimits, rpcLimits } from './limits.ts';
import { Port, type TlsOptions } from './port/port.ts';
import { Router } from './router.ts';
import type { RpcServerOptions, ServerFacts, Usage } from './server-options.ts';
import { createPolicy, scopesOf } from './server-policy.ts';
import { Health, healthzOf, measureReadiness, readyzOf } from './standard/health.ts';
import { standardServices, untimedPaths } from './standard/services.ts';
import type { Metrics } from './telemetry/metrics.ts';
import { showServer } from './telemetry/server-metrics.ts';

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
    const { admission, clients, memory, resets } = this.#policy;
    this.#port = new Port((exchange) => router.accept(exchange), {
      limits: this.#limits,
      clients,
      memory,
      isBehindProxies: resets !== undefined,
      tls: options.tls,
      log: options.log,
      http2Engine: options.http2Engine ?? 'own',
      resets,
      shedder: admission && new GrpcShedder(methods.values(), admission, this.#policy),
    });
    if (options.telemetry?.metrics !== undefined) this.#show(options.telemetry.metrics);
  }

  /** What is in use now, to be watched: nothing, once all is over. */
  get usage(): Usage {
    const { memory, clients, untimedCalls } = this.#policy;
    return { heldBytes: memory.heldBytes, clients: clients.count, watches: untimedCalls.count };
  }

  /**
   * Starts to listen. Port 0 takes any free one, and the host `unix:/PATH` a socket of this machine, without a port.
   * Rejects with the system's error.
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
  #abort(reason: () => ConnectError, untimedOnly: boolean): void {
    for (const it of this.#policy.wheel.list()) {
      if (it instanceof Call && (it.isUntimed || !untimedOnly)) it.abort(reason());
    }
  }
}

/** Whether it resolves within the time. */
async function within(work: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  const timer = new AbortController();
  const late = delay(timeoutMs, false, { signal: timer.signal }).catch(() => false);
  const isInTime = await Promise.race([work.then(() => true), late]);
  timer.abort();
  return isInTime;
}
