import http from 'node:http';
import type { IncomingHttpHeaders } from 'node:http2';
import type { Connection } from '../call/connection.ts';
import type { RpcLimits } from '../limits.ts';
import { type Exchange, headerBytesOf, isHost, type Receiver, requestEndGraceMs } from './exchange.ts';

/** An exchange of HTTP/1.1, on node:http. It has no trailers, so it can't carry gRPC itself. */
export class NodeExchange implements Exchange {
  readonly method: string;
  readonly url: string;
  readonly connection: Connection;
  readonly isDuplex = false;
  extraHeaders: readonly string[] = [];
  sentStatus: string | undefined;
  readonly #req: http.IncomingMessage;
  readonly #res: http.ServerResponse;
  readonly #limits: Pick<RpcLimits, 'flushTimeoutMs' | 'streamWindowBytes'>;
  /** Headers that wait for what follows them, as long as the request has not ended. */
  #head: readonly string[] | undefined;
  #isEnded = false;
  readonly #openedAtMs = performance.now();

  /** `limits`: how much of a request is read after its answer, and for how long. */
  constructor(
    req: http.IncomingMessage,
    res: http.ServerResponse,
    connection: Connection,
    limits: Pick<RpcLimits, 'flushTimeoutMs' | 'streamWindowBytes'>,
  ) {
    this.method = req.method ?? '';
    // A client may send the absolute form to any server (RFC 9112 section 3.2.2).
    this.url = (req.url ?? '').replace(/^[a-z][a-z\d+.-]*:\/\/[^/?]*\/?/i, '/');
    this.connection = connection;
    this.#req = req;
    this.#res = res;
    this.#limits = limits;
  }

  get headerBytes(): number {
    return headerBytesOf(this.#req.rawHeaders);
  }

  get headers(): IncomingHttpHeaders {
    return this.#req.headers;
  }

  get hasHost(): boolean {
    const { host = [] } = this.#req.headersDistinct;
    return host.length === 1 ? isHost(host[0]) : host.length === 0 && this.#req.httpVersion === '1.0';
  }

  receive(receiver: Receiver): void {
    this.#req.on('data', (chunk: Buffer) => receiver.received(chunk));
    this.#req.on('end', () => receiver.receivedAll());
    this.#res.on('drain', () => receiver.drained());
    this.#res.on('close', () => receiver.closed());
    // 'close' follows; without a listener the process would end.
    this.#req.on('error', () => {});
    this.#res.on('error', () => {});
  }

  pause(): void {
    if (!this.#isEnded) this.#req.pause();
  }

  resume(): void {
    if (!this.#isEnded) this.#req.resume();
  }

  sendHeaders(headers: string[]): void {
    if (this.#isGone || this.#head !== undefined || this.#res.headersSent) return;
    this.sentStatus = headers[1];
    const isWhole = this.#isWhole;
    for (let at = 2; !isWhole && at < headers.length; at += 2) assertHeader(headers[at], headers[at + 1]);
    this.#head = headers;
    if (isWhole) this.#writeHead();
  }

  send(bytes: Uint8Array): boolean {
    if (this.#isGone) return true;
    this.#writeHead();
    return this.#res.write(bytes);
  }

  end(bytes: Uint8Array | undefined): void {
    if (this.#isGone) return;
    this.#isEnded = true;
    // The rest of the request must be read: the next one comes behind it. (Node's own timeout for requests holds.)
    this.#req.resume();
    if (this.#isWhole) this.#finish(bytes);
    else this.#endEarly(bytes);
  }

  /** With a length, so that a proxy that makes HTTP/2 of it has headers alone, too: some clients read no others. */
  endWithHeaders(headers: string[]): void {
    this.sendHeaders([...headers, 'content-length', '0']);
    this.end(undefined);
  }

  cut(): void {
    this.#res.destroy();
  }

  get #isGone(): boolean {
    return this.#res.destroyed || this.#isEnded;
  }

  /**
   * Whether all of the request is there. Node says it at its end alone, also of one without a body (RFC 9112 section
   * 6.3).
   */
  get #isWhole(): boolean {
    const { complete, headers } = this.#req;
    return (
      complete || (headers['content-length'] === undefined && headers['transfer-encoding'] === undefined)
    );
  }

  #writeHead(...more: string[]): void {
    if (this.#head === undefined) return;
    const [, status, ...pairs] = this.#head;
    this.#head = undefined;
    this.#res.writeHead(Number(status), [...pairs, ...this.extraHeaders, ...more]);
  }

  #finish(bytes: Uint8Array | undefined): void {
    this.#writeHead();
    this.#res.end(bytes);
  }

  /**
   * Answers a request that has not ended. If its end is near, the connection lives on. Else the answer is the last of
   * the connection (RFC 9112 section 9.6). The client has `flushTimeoutMs` to see it, and `streamWindowBytes` to send:
   * a connection that is closed while the client writes is reset, and the answer may be lost with it.
   */
  #endEarly(bytes: Uint8Array | undefined): void {
    const { flushTimeoutMs, streamWindowBytes } = this.#limits;
    const { socket } = this.#req;
    let isAnswered = this.#head === undefined;
    let restBytes = streamWindowBytes;
    let timer: NodeJS.Timeout;
    const answer = () => {
      if (!isAnswered) this.#answerLast(bytes);
      isAnswered = true;
      clearTimeout(timer);
      timer = setTimeout(() => socket.destroy(), flushTimeoutMs);
    };
    this.#req.on('data', (chunk: Buffer) => {
      restBytes -= chunk.length;
      if (restBytes > 0) return;
      if (!isAnswered) answer();
      this.#req.pause();
    });
    const stop = () => clearTimeout(timer);
    socket.once('close', stop);
    this.#req.once('end', () => {
      stop();
      socket.off('close', stop);
      if (isAnswered) this.#res.end();
      else this.#finish(bytes);
    });
    timer = setTimeout(answer, Math.max(0, this.#openedAtMs + requestEndGraceMs - performance.now()));
    if (!isAnswered) return;
    // Its headers have gone out, too late to tell: what the client does not send in time, it sends in vain.
    this.#res.end(bytes);
    answer();
  }

  /**
   * The whole answer, with its length, so that it is complete although node, which would close at once, is not told the
   * end.
   */
  #answerLast(bytes: Uint8Array | undefined): void {
    const hasLength = this.#head?.some((it) => it.toLowerCase() === 'content-length');
    const hasBody = this.#head?.[1] !== '204' && this.#head?.[1] !== '304';
    this.#res.shouldKeepAlive = false;
    if (hasLength || !hasBody) this.#writeHead();
    else this.#writeHead('content-length', String(bytes?.length ?? 0));
    if (bytes === undefined || bytes.length === 0 || this.method === 'HEAD') this.#res.flushHeaders();
    else this.#res.write(bytes);
  }
}

/** Whoever sends what is no header learns it now: later nobody is there to catch it. */
function assertHeader(name = '', value = ''): void {
  http.validateHeaderName(name);
  http.validateHeaderValue(name, value);
}
