import http from 'node:http';
import http2 from 'node:http2';
import { framesOf } from '../../support/frames.ts';
import { withPatience } from '../../support/patience.ts';
import { type RawExchange, type RawRequest, requestHttp1, requestHttp2 } from '../../support/raw-request.ts';

/** What a client does, byte by byte. */
export interface RawCall {
  readonly path: string;
  readonly method?: string;
  readonly headers: http2.OutgoingHttpHeaders;
  /** In turn: bytes to send, a number of messages to wait for, `end` or `reset`. Then the request ends. */
  readonly body: readonly (Buffer | number | 'end' | 'reset')[];
  /** The request stays open until the response has ended. */
  readonly isOpen?: boolean;
}

/** All that a client sees of a response, as it comes. */
export interface RawAnswer {
  /** 0 for none. */
  readonly http: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly trailers: http.IncomingHttpHeaders;
  readonly body: Buffer;
  /** How many messages arrive before a reset is chance. */
  readonly comparable: number;
  /** The code of the reset that ended it, or of the error of the connection; 0 for none. */
  readonly reset: number | string;
  /** The response had no end when the time was up. */
  readonly isHung: boolean;
}

/** A client's connections to one server. */
export interface Connections {
  request(head: RawRequest): RawExchange;
  close(): void;
}

/** Connects to a server of loopback: by one connection, or one at a time. */
export function connect(version: '1.1' | '2', port: number): Connections {
  const url = `http://127.0.0.1:${port}`;
  if (version === '1.1') {
    const agent = new http.Agent({ keepAlive: true });
    return { request: (head) => requestHttp1(url, head, { agent }), close: () => agent.destroy() };
  }
  const session = http2.connect(url);
  return { request: (head) => requestHttp2(session, head), close: () => session.destroy() };
}

/** Makes a call and waits for its end. */
export async function rawCall(connections: Connections, call: RawCall): Promise<RawAnswer> {
  const { body, isOpen } = call;
  const exchange = connections.request(call);
  const { request } = exchange;
  let comparable = Number.POSITIVE_INFINITY;
  exchange.read();
  send().catch(() => request.destroy());
  // The answer to a request that stays open is complete with its trailers.
  if (isOpen) exchange.ended.then(() => request.end());
  const isHung = !(await withPatience(exchange.closed.then(() => true)));
  if (isHung) exchange.cancel();
  await exchange.closed;

  async function send() {
    let awaited = 0;
    for (const step of body) {
      if (request.closed || request.destroyed) return;
      if (step === 'reset') {
        comparable = awaited;
        exchange.cancel();
      } else if (step === 'end') request.end();
      else if (typeof step !== 'number') request.write(step);
      else {
        awaited = step;
        await exchange.until((received) => framesOf(received).length >= step);
      }
    }
    if (!isOpen && !request.closed && !request.writableEnded) request.end();
  }

  const { status, headers, trailers, error, resetCode } = exchange;
  const reset = resetCode || (error && 'code' in error ? String(error.code) : 0);
  return { http: status, headers, trailers, body: exchange.body, comparable, reset, isHung };
}
