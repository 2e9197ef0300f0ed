import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { getUser } from './requests.ts';

/** A call that has been answered, or has waited in vain so far. */
interface Call {
  readonly kind: 'GetUsers' | 'health check';
  readonly startedAtMs: number;
  readonly ms: number;
  readonly failure: string | undefined;
}

/** What it has seen between two moments. */
export interface QuietFigures {
  readonly calls: number;
  readonly medianMs: number;
  readonly slowest: Pick<Call, 'kind' | 'ms'> | undefined;
  readonly failures: readonly string[];
}

const address = '127.0.0.1';
const ask = getUser('alexa', { way: 'grpc', timeoutMs: 30_000 });
const lagResolutionMs = 5;

/**
 * A client that does nothing unusual: it asks for a user on one gRPC connection, and, as a load balancer does, checks
 * health on a new HTTP/1.1 connection each time. It measures how long each takes.
 */
export class QuietClient {
  /** Each kind of call is made so often, but never twice at a time. */
  everyMs: number;
  readonly #port: number;
  readonly #calls: Call[] = [];
  readonly #waiting = new Set<Pick<Call, 'kind' | 'startedAtMs'>>();
  readonly #stop = new AbortController();
  readonly #lag = monitorEventLoopDelay({ resolution: lagResolutionMs });
  #session: http2.ClientHttp2Session | undefined;
  readonly #loops: Promise<void>[];

  constructor(port: number, everyMs: number) {
    this.everyMs = everyMs;
    this.#port = port;
    this.#lag.enable();
    this.#loops = [
      this.#repeat('GetUsers', (signal) => this.#getUser(signal)),
      this.#repeat('health check', (signal) => this.#checkHealth(signal)),
    ];
  }

  /** The calls that were started since a moment (`performance.now()`); those without an answer count with their age. */
  since(atMs: number): QuietFigures {
    const now = performance.now();
    const waiting = [...this.#waiting].map((it) => ({ ...it, ms: now - it.startedAtMs, failure: undefined }));
    const calls = [...this.#calls, ...waiting].filter((it) => it.startedAtMs >= atMs);
    const failures = calls.flatMap(({ kind, failure }) =>
      failure === undefined ? [] : [`${kind}: ${failure}`],
    );
    return {
      calls: calls.length,
      medianMs: median(calls.filter((it) => it.kind === 'GetUsers').map((it) => it.ms)),
      slowest: calls.toSorted((a, b) => b.ms - a.ms)[0],
      failures,
    };
  }

  /** The median of the last so many answers to GetUsers, of calls since a moment; undefined while there are fewer. */
  lastMedianMs(count: number, sinceMs: number): number | undefined {
    const answered = this.#calls.filter(({ kind, startedAtMs, failure }) => {
      return kind === 'GetUsers' && startedAtMs >= sinceMs && failure === undefined;
    });
    return answered.length < count ? undefined : median(answered.slice(-count).map((it) => it.ms));
  }

  /** For how long this process was kept from running, at most, since it was last asked: nothing that a server does. */
  takeOwnLagMs(): number {
    const lagMs = Math.max(0, this.#lag.max / 1e6 - lagResolutionMs);
    this.#lag.reset();
    return lagMs;
  }

  /** Stops, whatever is still unanswered. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#session?.destroy();
    this.#lag.disable();
    await Promise.all(this.#loops);
  }

  async #repeat(kind: Call['kind'], call: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const startedAtMs = performance.now();
      const waiting = { kind, startedAtMs };
      this.#waiting.add(waiting);
      const failure = await call(signal).then(
        () => undefined,
        (error: unknown) => String(error),
      );
      this.#waiting.delete(waiting);
      if (signal.aborted) return;
      const ms = performance.now() - startedAtMs;
      this.#calls.push({ ...waiting, ms, failure });
      await delay(Math.max(0, this.everyMs - ms), undefined, { signal }).catch(() => {}); // stopped: the loop ends
    }
  }

  async #getUser(signal: AbortSignal): Promise<void> {
    const session = this.#connected();
    const { path, headers, body } = ask;
    const stream = session.request({ ':method': 'POST', ':path': path, ...headers }, { signal });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let bytes = 0;
    let trailers: http2.IncomingHttpHeaders = {};
    stream.on('response', (it) => {
      trailers = it;
    });
    stream.on('trailers', (it) => {
      trailers = it;
    });
    stream.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    stream.on('error', reject);
    stream.on('close', () => {
      const { 'grpc-status': status, 'grpc-message': message } = trailers;
      if (status === '0' && bytes > 0) resolve();
      else reject(new Error(`status ${status} ${message ?? ''}, ${bytes} bytes, reset ${stream.rstCode}`));
    });
    stream.end(body);
    await promise;
  }

  /** A connection that is lost is made anew by the next call, as gRPC clients do. */
  #connected(): http2.ClientHttp2Session {
    if (this.#session === undefined || this.#session.closed || this.#session.destroyed) {
      this.#session = http2.connect(`http://${address}`, {
        createConnection: () => net.connect({ host: address, port: this.#port, localAddress: address }),
      });
      this.#session.on('error', () => {}); // its streams tell
    }
    return this.#session;
  }

  async #checkHealth(signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const options = {
      host: address,
      port: this.#port,
      localAddress: address,
      path: '/healthz',
      agent: false,
      signal,
    };
    const request = http.get(options, (response) => {
      response.resume();
      response.on('error', reject);
      response.on('end', () =>
        response.statusCode === 200 ? resolve() : reject(new Error(`status ${response.statusCode}`)),
      );
    });
    request.on('error', reject);
    await promise;
  }
}

/** The middle one of the figures; NaN of none. */
export function median(figures: readonly number[]): number {
  return figures.toSorted((a, b) => a - b)[Math.floor(figures.length / 2)] ?? Number.NaN;
}
