import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Interceptor } from '@connectrpc/connect';
import { limits as defaultLimits, type Limits } from '../limits.ts';
import { createAccessLog, type Log, type MetadataDetail } from './call/access-log.ts';
import { collectMethods, type Routes, routesByPath, servicesOf, typesOf } from './call/methods.ts';
import { ConnectHandler } from './connect/connect.ts';
import { draining } from './errors.ts';
import { GrpcHandler } from './grpc/grpc.ts';
import { createCors } from './http/cors.ts';
import { type HttpHandler, serveHttp } from './http/http-call.ts';
import type { NodeRequest, NodeResponse } from './http/node-http.ts';
import { answerUnknown } from './http/not-found.ts';
import { endWithin, requireEndWithin } from './http/response-end.ts';
import { Port, type TlsOptions } from './port/port.ts';
import {
  ServerReflection as ReflectionV1,
  type ServerReflectionRequest as V1Request,
} from './standard/gen/grpc/reflection/v1/reflection_pb.js';
import {
  ServerReflection as ReflectionV1alpha,
  type ServerReflectionRequest as V1alphaRequest,
} from './standard/gen/grpc/reflection/v1alpha/reflection_pb.js';
import { Health as HealthService } from './standard/gen/health/v1/health_pb.js';
import { Health } from './standard/health.ts';
import { Reflection } from './standard/reflection.ts';

/** What a server is made of. */
export interface RpcServerOptions {
  /** Adds the services, as connect's own servers take it: `(router) => router.service(Users, users)`. */
  readonly routes: Routes;
  /** connect interceptors around every call of every protocol, the first one outermost. Default: none. */
  readonly interceptors?: readonly Interceptor[];
  /**
   * Whether the methods never change a message that they have yielded. The messages of a stream that are ready
   * together are serialized together then, with less work for each. Default: they may change it.
   */
  readonly keepsMessages?: boolean;
  /** Default: those of `limits.ts`. */
  readonly limits?: Partial<Limits>;
  /** Default: nothing is logged. */
  readonly log?: Log;
  /** Whether the log shows the values of metadata, or its keys alone. Secrets are never shown. Default: keys. */
  readonly logMetadata?: MetadataDetail;
  /** Default: plain text, HTTP/2 by prior knowledge. */
  readonly tls?: TlsOptions | undefined;
  /** Origins whose browsers may call. Default: none. */
  readonly corsOrigins?: readonly string[];
  /** Answers other HTTP requests than calls and /healthz. Default: 404. */
  readonly http?: HttpHandler;
}

/** Calls that last as long as their client wants. */
const untimedPaths = new Set([
  `/${HealthService.typeName}/Watch`,
  `/${ReflectionV1.typeName}/ServerReflectionInfo`,
  `/${ReflectionV1alpha.typeName}/ServerReflectionInfo`,
]);

/** Serves connect services as gRPC, gRPC-Web and Connect on one port, with health and reflection. */
export class RpcServer {
  /** To report that a service is out of order, for example. */
  readonly health: Health;
  readonly #limits: Limits;
  readonly #grpc: GrpcHandler;
  readonly #connect: ConnectHandler;
  readonly #port: Port;

  /** @throws Error when two services have the same method. */
  constructor(options: RpcServerOptions) {
    this.#limits = { ...defaultLimits, ...options.limits };
    const methods = collectMethods(options.routes);
    const services = servicesOf(methods);
    this.health = new Health(
      services.map((it) => it.typeName),
      this.#limits.maxWatches,
    );
    const reflection = new Reflection(
      [...services, HealthService, ReflectionV1, ReflectionV1alpha],
      this.#limits.maxWatches,
    );
    const ownMethods = collectMethods((router) => {
      router.service(HealthService, this.health.implementation);
      router.service(ReflectionV1, { serverReflectionInfo: (it) => reflection.answer<V1Request>(it) });
      router.service(ReflectionV1alpha, {
        serverReflectionInfo: (it) => reflection.answer<V1alphaRequest>(it),
      });
    });
    const types = typesOf(services);
    const routes = routesByPath([...methods, ...ownMethods], untimedPaths, this.#limits, types);
    const policy = {
      interceptors: options.interceptors ?? [],
      limits: this.#limits,
      isBatching: options.keepsMessages ?? false,
      onEnd: options.log ? createAccessLog(options.log, options.logMetadata ?? 'keys') : () => {},
    };
    this.#grpc = new GrpcHandler(routes, policy);
    this.#connect = new ConnectHandler(routes, policy, types);
    const cors = createCors(options.corsOrigins ?? []);
    const { maxDeadlineMs, flushTimeoutMs } = this.#limits;
    const onRequest = (req: NodeRequest, res: NodeResponse) => {
      // A client may send the absolute form to any server (RFC 9112 section 3.2.2).
      req.url = req.url?.replace(/^https?:\/\/[^/?]*\/?/i, '/');
      requireEndWithin(req, flushTimeoutMs);
      if (cors(req, res) || this.#connect.accept(req, res)) return;
      endWithin(res, maxDeadlineMs + flushTimeoutMs);
      if (req.url === '/healthz') return this.#healthz(res);
      if (options.http && serveHttp(options.http, req, res, policy.onEnd)) return;
      answerUnknown(req, res, policy.onEnd);
    };
    const onStream: GrpcHandler['accept'] = (stream, headers) => this.#grpc.accept(stream, headers);
    this.#port = new Port({ onStream, onRequest }, this.#limits, options.tls, options.log);
  }

  /** Starts to listen; port 0 takes any free one. Rejects with the system's error. */
  listen(options: { host: string; port: number }): Promise<AddressInfo> {
    return this.#port.listen(options);
  }

  /**
   * Ends without failing a call: says NOT_SERVING to health checks, goes on for `drainDelayMs` until the load
   * balancer has noticed, refuses new connections, and waits for the calls under way. Those that are not done
   * after `drainTimeoutMs` end with UNAVAILABLE. Resolves when all connections are closed.
   */
  async drain(): Promise<void> {
    const { drainDelayMs, drainTimeoutMs, flushTimeoutMs } = this.#limits;
    this.health.shutDown();
    if (drainDelayMs > 0) await delay(drainDelayMs);
    const closed = this.#port.close();
    // Watches would not end by themselves.
    this.#abort(true);
    const isInTime = await within(closed, drainTimeoutMs);
    if (isInTime) return;
    this.#abort(false);
    if (!(await within(closed, flushTimeoutMs))) this.#port.destroy();
    await closed;
  }

  /** Ends at once: calls under way are cut. */
  async close(): Promise<void> {
    this.health.shutDown();
    const closed = this.#port.close();
    this.#abort(false);
    this.#port.destroy();
    await closed;
  }

  #abort(untimedOnly: boolean): void {
    this.#grpc.abortAll(draining, untimedOnly);
    this.#connect.abortAll(draining, untimedOnly);
  }

  /** For load balancers that check over HTTP/1.1. */
  #healthz(res: NodeResponse): void {
    res.statusCode = this.health.isServing ? 200 : 503;
    res.setHeader('content-type', 'text/plain');
    res.end(this.health.isServing ? 'SERVING\n' : 'NOT_SERVING\n');
  }
}

/** Whether it resolves within the time. */
async function within(work: Promise<void>, timeoutMs: number): Promise<boolean> {
  const timer = new AbortController();
  const late = delay(timeoutMs, false, { signal: timer.signal }).catch(() => false);
  const isInTime = await Promise.race([work.then(() => true), late]);
  timer.abort();
  return isInTime;
}
