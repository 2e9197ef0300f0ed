import { MethodOptions_IdempotencyLevel as IdempotencyLevel } from '@bufbuild/protobuf/wkt';
import { unknownPath } from './call/call-record.ts';
import { MethodCall } from './call/method-call.ts';
import type { Method } from './call/methods.ts';
import type { CallPolicy } from './call/policy.ts';
import type { Wire } from './call/wire.ts';
import { connectStreamWire } from './connect/stream-wire.ts';
import { connectGetWire, connectUnaryWire } from './connect/unary-wire.ts';
import { grpcWire } from './grpc/grpc-wire.ts';
import { grpcWebWire } from './grpc/web-wire.ts';
import { createCors } from './http/cors.ts';
import type { Exchange } from './http/exchange.ts';
import { HttpCall } from './http/http-call.ts';
import type { HttpResource } from './http/http-resource.ts';
import {
  badHost,
  grpcNeedsHttp2,
  headersTooLarge,
  methodNotAllowed,
  needsHttp2,
  nothingThere,
  unknownMethod,
  unsupportedMediaType,
} from './http/refusals.ts';
import { type Refusal, RefusedCall } from './http/refused-call.ts';

/** Makes a call of each exchange: of a method, of a resource, or one that is refused. */
export class Router {
  readonly #methods: ReadonlyMap<string, Method>;
  /** The paths of methods, by what is left of them when people write them otherwise. */
  readonly #similar: ReadonlyMap<string, string>;
  readonly #resources = new Map<string, HttpResource>();
  readonly #cors: (exchange: Exchange) => boolean;
  readonly #policy: CallPolicy;

  constructor(
    methods: ReadonlyMap<string, Method>,
    resources: readonly HttpResource[],
    corsOrigins: readonly string[],
    policy: CallPolicy,
  ) {
    this.#methods = methods;
    this.#similar = new Map([...methods.keys()].map((path) => [likeness(path), path]));
    for (const resource of resources) for (const path of resource.paths) this.#resources.set(path, resource);
    this.#cors = createCors(corsOrigins);
    this.#policy = policy;
  }

  /** Takes a request once its headers have come. */
  accept(exchange: Exchange): void {
    const grpc = grpcWire(exchange);
    if (exchange.lacksHeaders)
      return this.#refuse(exchange, headersTooLarge(exchange, pathOf(exchange), grpc));
    if (grpc !== undefined) {
      if (!exchange.isDuplex) return this.#refuse(exchange, grpcNeedsHttp2(grpc, pathOf(exchange)));
      // gRPC's paths have no query, and its clients run in no browser.
      const method = this.#methods.get(exchange.url);
      if (method === undefined) this.#refuse(exchange, this.#unknown(grpc, pathOf(exchange)));
      else new MethodCall(grpc, method, this.#policy).start();
      return;
    }
    const path = pathOf(exchange);
    if (!exchange.hasHost) return this.#refuse(exchange, badHost(exchange, path));
    if (this.#cors(exchange)) return;
    const method = this.#methods.get(path);
    if (method !== undefined) return this.#call(exchange, path, method);
    const resource = this.#resources.get(path);
    if (resource !== undefined) return new HttpCall(exchange, path, resource, this.#policy).start();
    const wire = grpcWebWire(exchange) ?? connectUnaryWire(exchange) ?? connectStreamWire(exchange);
    this.#refuse(exchange, wire === undefined ? this.#nothing(exchange, path) : this.#unknown(wire, path));
  }

  #call(exchange: Exchange, path: string, method: Method): void {
    const { kind, method: descriptor } = method.spec;
    if (kind === 'bidi_streaming' && !exchange.isDuplex)
      return this.#refuse(exchange, needsHttp2(exchange, path));
    const isGettable = kind === 'unary' && descriptor.idempotency === IdempotencyLevel.NO_SIDE_EFFECTS;
    const allowed = isGettable ? ['POST', 'GET'] : ['POST'];
    if (!allowed.includes(exchange.method)) {
      return this.#refuse(exchange, methodNotAllowed(exchange, path, allowed.join(', ')));
    }
    const wire = this.#wire(exchange, kind === 'unary');
    if (wire !== undefined) return new MethodCall(wire, method, this.#policy).start();
    const isStreaming = kind !== 'unary';
    const taken = `${isStreaming ? streamTypes : 'application/proto, application/json'}, ${exchange.isDuplex ? grpcTypes : grpcWebTypes}`;
    this.#refuse(exchange, unsupportedMediaType(exchange, path, taken, isStreaming));
  }

  #wire(exchange: Exchange, isUnary: boolean): Wire | undefined {
    const web = grpcWebWire(exchange);
    if (web !== undefined) return web;
    if (!isUnary) return connectStreamWire(exchange);
    return exchange.method === 'GET' ? connectGetWire(exchange) : connectUnaryWire(exchange);
  }

  /**
   * Some clients put the package of the messages before a service that has none, or leave one out; people err in case.
   */
  #unknown(wire: Wire, path: string): Refusal {
    return unknownMethod(wire, path, this.#similar.get(likeness(path)));
  }

  #nothing(exchange: Exchange, path: string): Refusal {
    const resources = [...new Set(this.#resources.values())].filter((it) => !it.isPart);
    const places = resources.flatMap(({ paths }) => paths.slice(0, 1));
    return nothingThere(exchange, path, places);
  }

  #refuse(exchange: Exchange, refusal: Refusal): void {
    const isKnown = this.#methods.has(refusal.path) || this.#resources.has(refusal.path);
    const path = isKnown ? refusal.path : unknownPath;
    new RefusedCall(exchange, { ...refusal, path }, this.#policy).start();
  }
}

const streamTypes = 'application/connect+proto, application/connect+json';
const grpcTypes = 'application/grpc, application/grpc-web, application/grpc-web-text';
const grpcWebTypes = 'application/grpc-web, application/grpc-web-text';

function pathOf(exchange: Exchange): string {
  return exchange.url.split(/[?#;]/, 1)[0] ?? '';
}

/** The same for `/users.Users/CreateUser`, `/users/createuser` and `/Users/CreateUser/`. */
function likeness(path: string): string {
  return path
    .replace(/^\/(?:\w+\.)+/, '/')
    .replace(/\/$/, '')
    .toLowerCase();
}
