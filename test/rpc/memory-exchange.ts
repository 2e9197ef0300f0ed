import type { IncomingHttpHeaders } from 'node:http2';
import { createAccessLog } from '../../functions/rpc/call/access-log.ts';
import { Clients } from '../../functions/rpc/call/clients.ts';
import type { Connection } from '../../functions/rpc/call/connection.ts';
import { DeadlineWheel } from '../../functions/rpc/call/deadline-wheel.ts';
import { MemoryBudget } from '../../functions/rpc/call/memory-budget.ts';
import {
  type AddServices,
  collectMethods,
  methodsByPath,
  servicesOf,
  typesOf,
} from '../../functions/rpc/call/methods.ts';
import type { CallPolicy } from '../../functions/rpc/call/policy.ts';
import { Turns } from '../../functions/rpc/call/turns.ts';
import type { Exchange, Receiver } from '../../functions/rpc/http/exchange.ts';
import type { HttpResource } from '../../functions/rpc/http/http-resource.ts';
import { type RpcLimits, rpcLimits } from '../../functions/rpc/limits.ts';
import { Router } from '../../functions/rpc/router.ts';

/** An exchange without a network: the test sends what it likes, when it likes, and sees what is sent. */
export class MemoryExchange implements Exchange {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly headerBytes = 0;
  readonly connection: Connection;
  readonly hasHost = true;
  readonly isDuplex = true;
  extraHeaders: readonly string[] = [];
  receiver: Receiver | undefined;
  /** What was sent of the body. */
  readonly sent: Uint8Array[] = [];
  /** The headers that were sent, and the trailers. */
  head = '';
  isPaused = false;
  isEnded = false;
  isCut = false;
  /** Whether what is sent has to wait. */
  isFull = false;

  constructor(connection: Connection, url: string, headers: IncomingHttpHeaders, method = 'POST') {
    this.connection = connection;
    this.url = url;
    this.headers = headers;
    this.method = method;
  }

  receive(receiver: Receiver): void {
    this.receiver = receiver;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  sendHeaders(headers: string[]): void {
    this.head += headers.join(' ');
  }

  send(bytes: Uint8Array): boolean {
    this.sent.push(bytes);
    return !this.isFull;
  }

  end(bytes: Uint8Array | undefined, trailers = {}): void {
    if (bytes !== undefined) this.sent.push(bytes);
    this.head += JSON.stringify(trailers);
    this.isEnded = true;
  }

  endWithHeaders(headers: string[]): void {
    this.sendHeaders(headers);
    this.isEnded = true;
  }

  cut(): void {
    if (this.isCut) return;
    this.isCut = true;
    this.receiver?.closed();
  }
}

/** A server without a network. */
export interface Served {
  readonly policy: CallPolicy;
  readonly router: Router;
  /** The codes and errors of the calls that have ended. */
  readonly ended: { readonly code: number; readonly error: string | undefined }[];
  connect(address?: string): Connection;
}

/** Serves without a network. The clock of the turns is the test's. */
export function serveInMemory(
  routes: AddServices,
  {
    limits,
    now,
    resources = [],
  }: { limits?: Partial<RpcLimits>; now?: () => number; resources?: HttpResource[] } = {},
): Served {
  const ended: Served['ended'] = [];
  const log = createAccessLog(
    { info() {}, warn() {}, error() {} },
    {
      metadata: 'keys',
      maxRefusedLinesPerSecond: 10,
      knowsCallers: false,
    },
  );
  const policy: CallPolicy = {
    gate: undefined,
    strangers: undefined,
    quota: undefined,
    admission: undefined,
    resets: undefined,
    openPaths: new Set(),
    interceptors: [],
    limits: { ...rpcLimits, ...limits },
    keepsMessages: true,
    forwardedFor: () => undefined,
    requestIdHeader: 'x-request-id',
    observers: [
      {
        ended: (call, code) => {
          ended.push({ code, error: call.error?.rawMessage });
        },
      },
      log,
    ],
    tracing: undefined,
    wheel: new DeadlineWheel(),
    memory: new MemoryBudget({ ...rpcLimits, ...limits }),
    clients: new Clients(),
    turns: new Turns(now),
    untimedCalls: { count: 0 },
  };
  const specs = collectMethods(routes);
  const methods = methodsByPath(specs, typesOf(servicesOf(specs)), {
    limits: policy.limits,
    elementLimits: [],
    untimedPaths: new Set(),
  });
  return {
    policy,
    ended,
    router: new Router(methods, resources, [], policy),
    connect: (address = '192.0.2.1') => ({
      peer: `${address}:1`,
      client: policy.clients.enter(address),
      tls: undefined,
      openedAtMs: 0,
      heldBytes: 0,
      destroy() {},
    }),
  };
}
