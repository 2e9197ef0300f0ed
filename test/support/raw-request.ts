import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import type { Readable } from 'node:stream';

/** The head of a request that is written by hand. */
export interface RawRequest {
  /** Default: POST. */
  readonly method?: string | undefined;
  readonly path: string;
  readonly headers?: http2.OutgoingHttpHeaders;
}

/** Begins a request on a session; its errors, and the session's, are in the exchange. */
export function requestHttp2(
  session: http2.ClientHttp2Session,
  { method = 'POST', path, headers }: RawRequest,
): RawExchange {
  // A stream hears of the errors of its session.
  session.on('error', () => {});
  const stream = session.request({ ':method': method, ':path': path, ...headers }, { endStream: false });
  return new RawExchange(stream);
}

/** Begins a request on a connection of its own, or on what the options say. */
export function requestHttp1(
  origin: string,
  { method = 'POST', path, headers }: RawRequest,
  options: http.RequestOptions = {},
): RawExchange {
  const { request } = origin.startsWith('https') ? https : http;
  // Without an agent of its own node takes the one whose connections are kept; with one it makes them by itself.
  const agent = options.createConnection === undefined ? false : undefined;
  return new RawExchange(request(new URL(path, origin), { method, headers, agent, ...options }));
}

/**
 * A request with node's own client, which does only what it is told: it has no timer, never cancels, and takes nothing
 * of the answer's body from the connection before somebody reads it.
 */
export class RawExchange {
  /** The request's body, to write and to end. */
  readonly request: http2.ClientHttp2Stream | http.ClientRequest;
  /** Resolves when the head of the answer is there, or none will come. */
  readonly responded: Promise<void>;
  /** Resolves when the answer has been read to its end, or is broken off. */
  readonly ended: Promise<void>;
  /** Resolves when the request is over, too. */
  readonly closed: Promise<void>;
  /** 0 as long as there is none. */
  status = 0;
  headers: http.IncomingHttpHeaders = {};
  trailers: http.IncomingHttpHeaders = {};
  /** What `read` has read of the answer. */
  body: Buffer = Buffer.alloc(0);
  /** What broke it off. */
  error: Error | undefined;
  #response: Readable | undefined;
  #looks = new Set<() => void>();

  constructor(request: http2.ClientHttp2Stream | http.ClientRequest) {
    this.request = request;
    const responded = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<void>();
    this.responded = responded.promise;
    this.ended = ended.promise;
    this.closed = closed.promise;
    const onError = (error: Error) => {
      this.error ??= error;
    };
    const onResponse = (response: Readable, status = 0, headers: http.IncomingHttpHeaders) => {
      this.status = status;
      this.headers = headers;
      this.#response = response;
      response.on('error', onError).once('end', ended.resolve);
      responded.resolve();
    };
    request.on('error', onError).once('close', () => {
      for (const { resolve } of [responded, ended, closed]) resolve();
      for (const look of this.#looks) look();
    });
    if ('setHeader' in request) {
      request.once('response', (response) => {
        response.once('end', () => {
          this.trailers = response.trailers;
        });
        onResponse(response, response.statusCode, response.headers);
      });
    } else {
      request.once('response', ({ ':status': status, ...headers }) => onResponse(request, status, headers));
      request.once('trailers', (trailers) => {
        this.trailers = trailers;
      });
    }
  }

  /** Reads the answer into `body` from now on. */
  async read(): Promise<void> {
    await this.responded;
    this.#response?.on('data', (chunk: Buffer) => {
      this.body = Buffer.concat([this.body, chunk]);
      for (const look of this.#looks) look();
    });
  }

  /** The answer's body as it comes, at the pace of who iterates. Throws what breaks the exchange off. */
  async *chunks(): AsyncGenerator<Buffer> {
    await this.responded;
    if (this.#response) yield* this.#response.iterator({ destroyOnReturn: false });
    if (this.error) throw this.error;
  }

  /** Waits until what `read` has read is like this, or the exchange is closed. */
  async until(isEnough: (body: Buffer) => boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = () => {
      if (this.request.closed || isEnough(this.body)) resolve();
    };
    this.#looks.add(look);
    look();
    await promise;
    this.#looks.delete(look);
  }

  /** The code of the reset that ended it; 0 for none, and for HTTP/1.1. */
  get resetCode(): number {
    return 'rstCode' in this.request ? (this.request.rstCode ?? 0) : 0;
  }

  /** Cancels the request: resets the stream, or closes the connection of HTTP/1.1. */
  cancel(): void {
    if ('rstCode' in this.request) this.request.close(NGHTTP2_CANCEL);
    else this.request.destroy();
  }
}

const { NGHTTP2_CANCEL } = http2.constants;
