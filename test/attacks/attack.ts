/** A request as an attacker sends it, whatever a well-behaved client would do. */
export interface AttackRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** Lower case names. */
  readonly headers: Readonly<Record<string, string>>;
  /**
   * A header that is repeated. Over HTTP/2 it is sent once on each connection and then costs one byte each time, since
   * HPACK remembers it (RFC 7541 section 6.1); over HTTP/1.1 it is left out.
   */
  readonly repeated?: { readonly name: string; readonly value: string; readonly times: number };
  /** Over HTTP/2, all other headers are sent once on each connection, too, and cost one byte each from then on. */
  readonly isIndexed?: boolean;
  readonly body: Uint8Array;
  /** The end of the request never comes: over HTTP/1.1 one byte of its body is missing. */
  readonly isEndless?: boolean;
  /** Over HTTP/2: the stream is reset so long after the request has left, answered or not. Default: it is not. */
  readonly resetAfterMs?: number;
}

/** What one attacker does: data alone, so that a thread of its own can do it. */
export interface Attack {
  /** The address that it comes from. The quiet client has 127.0.0.1; shares are counted by address. */
  readonly from: `127.0.0.${number}`;
  readonly http: '1.1' | '2';
  /** How many connections it opens, all at once. */
  readonly connections: number;
  /** Each connection sends all of them in turn, so many times. Default: once. */
  readonly requests: readonly AttackRequest[];
  readonly times?: number;
  /** How many requests leave in a second, over all connections together. Default: all at once. */
  readonly perSecond?: number;
  readonly reading: Reading;
}

/**
 * How much of the responses is taken: all at once; a little each time; or nothing, for which the windows of HTTP/2 stay
 * shut. A slow reader is one of HTTP/1.1.
 */
export type Reading = 'all' | 'slow' | 'none';

/** What came of an attack. */
export interface AttackReport {
  readonly connected: number;
  /** Connections that ended before the attack did. */
  readonly lost: number;
  readonly requests: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** Responses that came to their end. */
  readonly responses: number;
  /** Streams that the server has reset. */
  readonly resets: number;
}

/** What the thread of an attacker is told. It says 'ready', waits for a port, attacks it, and posts the reports. */
export interface AttackOrders {
  readonly attacks: readonly Attack[];
  /** Then it closes its connections, done or not. */
  readonly forMs: number;
}
