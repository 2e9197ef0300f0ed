import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { selfSigned } from './certificate.ts';
import { type Ended, Environment } from './environment.ts';
import type { Revision } from './revision.ts';

/** The name of the endpoint. */
export const domainName = 'bcdfghjklmnpqrst.b7t.lambda-web.eu-central-1.on.aws';

/** What an endpoint is told; what is left out is as the platform has it. */
export interface PlatformOptions {
  readonly timeoutMs?: number;
  readonly callsPerEnvironment?: number;
  readonly maxEnvironments?: number;
  /** Requests in a second. Default: as many as there are. */
  readonly rateLimit?: number;
  /** After this without a request an environment ends. Default: never. */
  readonly idleMs?: number;
}

/** Removed from requests; besides, what begins with `lambda-web-` or is named in `connection`. */
const removed = new Set(
  (
    'connection keep-alive upgrade expect te trailer proxy-authenticate proxy-authorization proxy-connection ' +
    'x-real-ip x-http-method-override x-http-method x-method-override host transfer-encoding content-length'
  ).split(' '),
);
const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'OPTIONS', 'DELETE']);

/**
 * Stands in for AWS Lambda in front of a Web Function: HTTP/1.1 over TLS under one name, environments that begin with
 * calls and end without, limits, and revisions that follow each other under load. What it does is what the
 * documentation says (https://docs.aws.amazon.com/lambda/latest/dg/web-functions-http.html and its neighbours); where
 * that is silent, such as the status of a refusal, docs/homes.md lists what is taken.
 */
export class FunctionPlatform implements AsyncDisposable {
  /** Why environments could not begin. */
  readonly failedStarts: unknown[] = [];
  /** How many environments have begun. */
  coldStarts = 0;
  /** How those that are gone have ended. */
  readonly ends: Ended[] = [];
  /** The log of the function: lines of all environments, and the platform's about them. */
  readonly log: string[] = [];
  readonly #options: Required<PlatformOptions>;
  readonly #server: https.Server;
  readonly #environments = new Set<Environment>();
  readonly #ending = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;
  /** The certificate of the endpoint, which signs itself (PEM). */
  readonly ca: string;
  #revision: Revision;
  #second = { at: 0, requests: 0 };

  /** Starts an endpoint that serves a revision. */
  static async start(revision: Revision, options: PlatformOptions = {}): Promise<FunctionPlatform> {
    const pair = await selfSigned(domainName);
    const platform = new FunctionPlatform(revision, options, { ...pair, ALPNProtocols: ['http/1.1'] });
    platform.#server.listen(0, '127.0.0.1');
    await once(platform.#server, 'listening');
    return platform;
  }

  private constructor(
    revision: Revision,
    options: PlatformOptions,
    tls: https.ServerOptions & { cert: string },
  ) {
    this.#revision = revision;
    this.ca = tls.cert;
    this.#options = {
      timeoutMs: 30_000,
      callsPerEnvironment: 64,
      maxEnvironments: 10,
      rateLimit: Number.POSITIVE_INFINITY,
      idleMs: Number.POSITIVE_INFINITY,
      ...options,
    };
    this.#server = https.createServer(tls, (request, response) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
    this.#server.on('checkExpectation', (_, response) => refuse(response, 417));
    this.#timer = setInterval(() => this.#endIdle(), 20);
  }

  get endpoint(): string {
    const { port } = this.#server.address() as AddressInfo; // of a port, not of a pipe
    return `https://127.0.0.1:${port}`;
  }

  /** Environments that there are. */
  get environments(): ReadonlySet<Environment> {
    return this.#environments;
  }

  /** Environments that get no requests any more, and are not over yet. */
  get endingCount(): number {
    return this.#ending.size;
  }

  /** Serves another revision from now on. What the one before has begun it may finish. */
  deploy(revision: Revision): void {
    this.#revision = revision;
    for (const environment of [...this.#environments]) this.#retire(environment);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#server.close();
    this.#server.closeAllConnections();
    for (const environment of [...this.#environments]) this.#retire(environment);
    await Promise.all(this.#ending);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const endsAtMs = performance.now() + this.#options.timeoutMs;
    const id = randomUUID().toUpperCase();
    response.setHeader('lambda-web-request-id', id);
    const name = request.headers.host?.replace(/:\d+$/, '');
    if (request.httpVersion === '1.0') return refuse(response, 505);
    if (name !== domainName) return refuse(response, 404);
    if (!methods.has(request.method ?? '')) return refuse(response, 400);
    if (this.#isTooMuch()) return refuse(response, 429, 'Endpoint.RateLimitExceeded');
    // Half-duplex: nothing of an answer passes before all of its request.
    const body = await buffer(request);
    const environment = this.#environment();
    if (environment === undefined) return refuse(response, 429, 'Endpoint.ConcurrencyLimitExceeded');
    try {
      const port = await environment.ready.catch((error: unknown) => {
        this.failedStarts.push(error);
        return undefined;
      });
      if (port === undefined) {
        this.#retire(environment);
        return refuse(response, 502, 'Runtime.InitError');
      }
      await this.#forward(request, body, response, { environment, port, id, endsAtMs });
    } finally {
      environment.running -= 1;
      environment.lastUsedMs = performance.now();
    }
  }

  #isTooMuch(): boolean {
    const at = Math.floor(performance.now() / 1000);
    if (this.#second.at !== at) this.#second = { at, requests: 0 };
    this.#second.requests += 1;
    return this.#second.requests > this.#options.rateLimit;
  }

  /**
   * One that has room; a new one, where there may be more; else none, and the request is refused at once. Source:
   * "Endpoint Scaling Controls" of AWS's agent toolkit for Web Functions.
   */
  #environment(): Environment | undefined {
    const { callsPerEnvironment, maxEnvironments } = this.#options;
    for (const one of this.#environments) {
      if (one.running < callsPerEnvironment) {
        one.running += 1;
        return one;
      }
    }
    if (this.#environments.size >= maxEnvironments) return undefined;
    const one = new Environment(this.#revision, (line) => this.log.push(line));
    this.coldStarts += 1;
    one.running += 1;
    this.#environments.add(one);
    // One that ends by itself takes no more requests.
    one.gone.then(() => this.#retire(one));
    return one;
  }

  async #forward(
    request: IncomingMessage,
    body: Buffer,
    response: ServerResponse,
    {
      environment,
      port,
      id,
      endsAtMs,
    }: { environment: Environment; port: number; id: string; endsAtMs: number },
  ): Promise<void> {
    const { agent } = environment;
    const upstream = http.request({
      host: '127.0.0.1',
      port,
      agent,
      method: request.method,
      path: request.url,
      headers: { ...headersOf(request), 'lambda-web-request-id': id, 'content-length': body.length },
    });
    const { promise: done, resolve } = Promise.withResolvers<void>();
    response.on('close', () => {
      upstream.destroy();
      resolve();
    });
    const timer = setTimeout(() => {
      // A stream is cut without a word: its status is that which was sent.
      if (response.headersSent) response.end();
      else refuse(response, 504, 'Runtime.RequestTimeout');
    }, endsAtMs - performance.now());
    upstream.on('error', () => {
      if (!response.headersSent) refuse(response, 502, 'Runtime.ConnectionError');
      else response.destroy();
    });
    upstream.on('response', (answer) => {
      const kept = pairsOf(answer.rawHeaders).filter(
        ([it]) => !removed.has(it.toLowerCase()) || /^content-length$/i.test(it),
      );
      for (const [name, value] of kept) response.appendHeader(name, value);
      response.writeHead(answer.statusCode ?? 502);
      response.flushHeaders();
      answer.on('error', () => response.destroy());
      answer.on('aborted', () => response.destroy());
      answer.pipe(response);
    });
    upstream.end(body);
    await done;
    clearTimeout(timer);
  }

  #endIdle(): void {
    for (const one of [...this.#environments]) {
      const isIdle = one.running === 0 && performance.now() - one.lastUsedMs > this.#options.idleMs;
      if (isIdle) this.#retire(one);
    }
  }

  /** Takes it out of use, lets it finish what it has as far as it does so in time, and ends it. */
  #retire(environment: Environment): void {
    if (!this.#environments.delete(environment)) return;
    const ending = this.#end(environment).finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }

  async #end(environment: Environment): Promise<void> {
    const untilMs = performance.now() + bestEffortMs;
    while (environment.running > 0 && performance.now() < untilMs) await delay(10);
    this.ends.push(await environment.end());
  }
}

/** How long calls that run may go on before SIGTERM: "on a best-effort basis", which has no figure. */
const bestEffortMs = 500;

function refuse(response: ServerResponse, status: number, type?: string): void {
  response.writeHead(status, type === undefined ? {} : { 'lambda-web-error-type': type }).end();
}

function headersOf({ headers, socket }: IncomingMessage): http.OutgoingHttpHeaders {
  const named = new Set((headers.connection ?? '').toLowerCase().split(/\s*,\s*/));
  const kept = Object.entries(headers).filter(
    ([name]) => !removed.has(name) && !named.has(name) && !name.startsWith('lambda-web-'),
  );
  const before = headers['x-forwarded-for'];
  const client = socket.remoteAddress ?? '';
  return {
    ...Object.fromEntries(kept),
    host: domainName,
    'x-forwarded-for': before === undefined ? client : `${before}, ${client}`,
    'lambda-web-endpoint-name': 'prod',
  };
}

function pairsOf(raw: readonly string[]): [string, string][] {
  return Array.from({ length: raw.length / 2 }, (_, n) => [raw[2 * n] ?? '', raw[2 * n + 1] ?? '']);
}
