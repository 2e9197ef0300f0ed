import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { isLoopback } from '../rpc/index.ts';
import { type AdminHealth, type AdminPage, type AdminSubject, adminPages, send } from './admin-pages.ts';
import type { AdminConfig } from './admin-settings.ts';
import { namesThisMachine } from './local-hosts.ts';
import { AdminListenError } from './open-admin.ts';

/**
 * Shows those who run the process how it is, over plain HTTP/1.1 on a port of its own: metrics, health, readiness, log
 * level, heap snapshot. `GET /` lists what there is.
 *
 * It knows no credential. Pages of a browser are refused, whatever name they come by. Programs on other machines, where
 * ADMIN_HOST lets them in, may read what is no secret, and change nothing.
 */
export class AdminPort {
  readonly #subject: AdminSubject;
  readonly #server: Server;
  readonly #pages: readonly AdminPage[];
  #health: AdminHealth | undefined;

  constructor(subject: AdminSubject) {
    this.#subject = subject;
    this.#pages = adminPages(subject, () => this.#health);
    const { maxAdminConnections, adminTimeoutMs } = subject.limits;
    this.#server = createServer({
      maxHeaderSize: 16 * 1024,
      headersTimeout: adminTimeoutMs,
      requestTimeout: adminTimeoutMs,
      connectionsCheckingInterval: Math.min(1_000, adminTimeoutMs),
    });
    this.#server.maxConnections = maxAdminConnections;
    // Cuts whoever reads no answer.
    this.#server.timeout = adminTimeoutMs;
    // A connection has one request. What comes behind it is never begun, whatever became of the first: node answers
    // 503.
    this.#server.maxRequestsPerSocket = 1;
    this.#server.on('request', (request, response) => {
      response.shouldKeepAlive = false;
      this.#answer(request, response).catch((err) => {
        // Its client is gone, or has read nothing for too long.
        if (response.headersSent || response.destroyed) {
          response.destroy();
          return;
        }
        subject.log.error({ err }, 'a request to the admin port failed');
        send(response, 500, 'That failed: the log says why.\n');
      });
    });
  }

  /** Starts to listen, and to say that the service is starting. @throws AdminListenError */
  async listen(at: AdminConfig): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    // Of several workers each has its own, also where the port is any that is free.
    this.#server.once('error', reject).listen({ ...at, exclusive: true }, resolve);
    try {
      await promise;
    } catch (error) {
      throw new AdminListenError(at, error);
    }
    const { log } = this.#subject;
    this.#server.off('error', reject);
    // Such as EMFILE: the connection is lost, and the process must not be.
    this.#server.on('error', (err) =>
      log.error({ err }, 'a connection to the admin port could not be accepted'),
    );
    if (!isLoopback(at.host)) {
      log.warn({ host: at.host }, 'other machines may read the admin port, which asks for no credential');
    }
  }

  /** Where it listens. @throws Error if it does not */
  get address(): AddressInfo {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('it does not listen at a TCP port');
    return address;
  }

  /** Shows this server from now on: it listens. */
  show(health: AdminHealth): void {
    this.#health = health;
  }

  /** Ends it at once: what is under way is cut. Resolves when its connections are closed. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader('cache-control', 'no-store');
    response.setHeader('x-content-type-options', 'nosniff');
    const isNear = isLoopback(request.socket.remoteAddress ?? '');
    const refusal = refusalOf(request, isNear);
    if (refusal !== undefined) return this.#refuse(request, response, 403, refusal);
    const [path = ''] = (request.url ?? '').split('?');
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    if (path === '/' && method === 'GET') return send(response, 200, this.#list());
    const pages = this.#pages.filter((it) => it.path === path);
    const page = pages.find((it) => it.method === method);
    if (page === undefined) {
      if (pages.length === 0) return this.#refuse(request, response, 404, `There is:\n${this.#list()}`);
      response.setHeader('allow', pages.map((it) => it.method).join(', '));
      return this.#refuse(request, response, 405, `There is:\n${this.#list()}`);
    }
    if (page.isOfMachine && (!isNear || isForwarded(request))) {
      return this.#refuse(
        request,
        response,
        403,
        'Ask from the machine itself: this port knows no credential.\n',
      );
    }
    const body = await this.#bodyOf(request);
    if (body === undefined) return this.#refuse(request, response, 413, 'The request is too large.\n');
    await page.answer({ headers: request.headers, body }, response);
  }

  #list(): string {
    const rows = this.#pages.map(({ method, path, about }) => `${`${method} ${path}`.padEnd(20)} ${about}\n`);
    return rows.join('');
  }

  /** What is left of the request is thrown away, until the answer ends the connection. */
  #refuse(request: IncomingMessage, response: ServerResponse, status: number, text: string): void {
    send(response, status, text);
    request.resume();
  }

  /** `undefined` if it is too long. */
  async #bodyOf(request: IncomingMessage): Promise<string | undefined> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > this.#subject.limits.maxAdminRequestBytes) return undefined;
    }
    return Buffer.concat(chunks).toString();
  }
}

/**
 * Why a request is refused, whatever it asks for. A page that has rebound its name to this machine gives that name as
 * the host; a page that asks without reading the answer says where it comes from.
 *
 * @param isNear whether it came from this machine. Programs of others may know the machine by any name.
 */
function refusalOf({ headers }: IncomingMessage, isNear: boolean): string | undefined {
  if (!namesThisMachine(headers.host ?? '')) {
    if (isNear) return 'The request is for another host than this machine.\n';
    if (isBrowser(headers)) return 'A browser on another machine must come by the IP address.\n';
  }
  const site = headers['sec-fetch-site'] ?? 'none';
  const isOfPage = headers.origin !== undefined || (site !== 'none' && site !== 'same-origin');
  return isOfPage ? 'Pages of a browser may not ask.\n' : undefined;
}

/**
 * Over plain HTTP a browser says nothing of the page that asks (https://w3c.github.io/webappsec-fetch-metadata, section
 * 2). What it adds to each request tells it from programs: a page can change these, but Chromium keeps its name, and
 * no page can take the languages out.
 */
function isBrowser(headers: IncomingHttpHeaders): boolean {
  return headers['accept-language'] !== undefined || headers['user-agent']?.startsWith('Mozilla/') === true;
}

/** Whether a proxy says that it has let somebody in, who may be on any machine. */
function isForwarded({ headers }: IncomingMessage): boolean {
  const isOfProxy = (name: string) => proxyHeaders.has(name) || name.startsWith('x-forwarded-');
  return Object.keys(headers).some(isOfProxy);
}

const proxyHeaders: ReadonlySet<string> = new Set(['forwarded', 'via', 'x-real-ip']);
