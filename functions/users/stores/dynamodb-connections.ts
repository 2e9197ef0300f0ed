import http from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import type { Limits } from '../../limits.ts';

/** What connections are bounded by. */
export type ConnectionLimits = Pick<
  Limits,
  'dynamoMaxSockets' | 'dynamoConnectTimeoutMs' | 'dynamoAttemptTimeoutMs' | 'dynamoMaxSocketAgeMs'
>;

/** A whole answer. */
export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
}

/** No connection, no whole answer, or no credentials, in time. */
export class TimeoutError extends Error {
  override readonly name = 'TimeoutError';
}

/** One answer may be late. Two one after the other, without any other between, are so because their host is gone. */
const lateUntilGone = 2;

/** Connections to one host, each with one request at a time, which are kept for the next requests. */
export class Connections {
  readonly #address: { readonly host: string; readonly path: string; readonly port?: string };
  readonly #limits: ConnectionLimits;
  readonly #agent: http.Agent;
  readonly #request: typeof http.request;
  /** The event of a socket that can be written to. */
  readonly #connected: 'connect' | 'secureConnect';
  #lateInARow = 0;
  readonly #bornAtMs = new WeakMap<Socket, number>();

  constructor(url: URL, limits: ConnectionLimits) {
    const isSecure = url.protocol === 'https:';
    const agent = { keepAlive: true, maxSockets: limits.dynamoMaxSockets };
    // Of an IPv6 address, a URL has the brackets too.
    const host = url.hostname.replace(/^\[|\]$/g, '');
    this.#address = { host, path: url.pathname, ...(url.port !== '' && { port: url.port }) };
    this.#limits = limits;
    this.#agent = isSecure ? new https.Agent(agent) : new http.Agent(agent);
    this.#request = isSecure ? https.request : http.request;
    this.#connected = isSecure ? 'secureConnect' : 'connect';
  }

  /**
   * Sends a request once, and reads its answer. Who aborts it after it was sent leaves it: it ends by itself, or with
   * its time.
   *
   * @throws the signal's reason once it is aborted; node's errors of networks; TimeoutError
   */
  send(headers: http.OutgoingHttpHeaders, body: string, signal: AbortSignal): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const request = this.#request({ ...this.#address, method: 'POST', headers, agent: this.#agent });
    let timer: NodeJS.Timeout | undefined;
    let used: Socket | undefined;
    let isOver = false;
    const end = (): void => {
      isOver = true;
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    };
    const fail = (error: unknown): void => {
      end();
      reject(error);
    };
    let isSent = false;
    const abort = (): void => {
      if (!isSent) {
        fail(signal.reason);
        request.destroy();
        return;
      }
      // Its answer is dropped when it comes, within its time: another connection costs more, most of all with TLS.
      signal.removeEventListener('abort', abort);
      reject(signal.reason);
    };
    const endAfter = (ms: number, what: string): void => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        fail(new TimeoutError(`${what} within ${ms} ms`));
        request.destroy();
        this.#lateInARow += 1;
        if (this.#lateInARow >= lateUntilGone) this.#dropIdle();
      }, ms);
    };
    const { dynamoConnectTimeoutMs: connectMs, dynamoAttemptTimeoutMs: attemptMs } = this.#limits;
    const sent = () => {
      isSent = true;
      endAfter(attemptMs, 'no answer');
    };
    signal.addEventListener('abort', abort);
    request
      // Until then it waits for a socket, which is no fault of the other side.
      .once('socket', (socket) => {
        used = socket;
        if (!socket.connecting) return sent();
        this.#bornAtMs.set(socket, performance.now());
        endAfter(connectMs, 'no connection');
        socket.once(this.#connected, sent);
      })
      .once('response', (response) => {
        this.#lateInARow = 0;
        const chunks: Buffer[] = [];
        response
          .on('data', (chunk: Buffer) => chunks.push(chunk))
          .on('error', fail)
          .once('end', () => {
            end();
            // Before the agent takes it back, which is in the next tick: so no request that waits gets it.
            if (used && this.#isOld(used)) used.destroy();
            const [first = Buffer.alloc(0)] = chunks;
            const whole = chunks.length > 1 ? Buffer.concat(chunks) : first;
            resolve({ status: response.statusCode ?? 0, headers: response.headers, body: whole });
          });
      })
      .on('error', fail)
      .once('close', () => {
        if (!isOver) fail(new Error('the connection was closed before an answer'));
      })
      .end(body);
    return promise;
  }

  /** Closes all connections, with what is under way on them. */
  close(): void {
    this.#agent.destroy();
  }

  /** A name may have come to stand for other hosts: those that it stood for once are left after a while. */
  #isOld(socket: Socket): boolean {
    const bornAtMs = this.#bornAtMs.get(socket) ?? 0;
    return performance.now() - bornAtMs > this.#limits.dynamoMaxSocketAgeMs;
  }

  /** A host that does not answer may be gone, and all connections to it: the next request makes a new one. */
  #dropIdle(): void {
    for (const sockets of Object.values(this.#agent.freeSockets)) {
      for (const socket of sockets ?? []) socket.destroy();
    }
  }
}
