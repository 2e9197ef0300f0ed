/** Why connections were refused, or ended before they had a request. */
export type RefusedConnection =
  /** There are as many as the server takes. */
  | 'too_many'
  /** Its client has as many as it may. */
  | 'too_many_of_client'
  /** The handshake of TLS has failed. */
  | 'tls'
  /** It has not said in time what it speaks, or has not accepted our settings. */
  | 'handshake_timeout'
  /** What it sends is no HTTP/1.1. */
  | 'bad_http1'
  /** It is to be a tunnel. */
  | 'connect';

/** What happens to the connections of a port: plain numbers, which cost next to nothing where nobody reads them. */
export class ConnectionCounts {
  /** Connections that were accepted, those of clients that had too many included. */
  accepted = 0;
  /** Connections that are open, by what they speak. */
  openHttp1 = 0;
  openHttp2 = 0;
  /** Streams of HTTP/2 that are open. */
  streams = 0;
  /** Connections of HTTP/2 whose clients were sent GOAWAY. */
  goaways = 0;
  /** Streams that were reset. */
  resetsSent = 0;
  resetsReceived = 0;
  readonly refused: Record<RefusedConnection, number> = {
    too_many: 0,
    too_many_of_client: 0,
    tls: 0,
    handshake_timeout: 0,
    bad_http1: 0,
    connect: 0,
  };
}
