/** Every default of the typed client, each with its unit in its name. */
export const defaults = {
  /** Where `npm run dev` serves. */
  endpoint: 'http://127.0.0.1:50051',
  /** The deadline of a call that sets none: what the server gives to a call without one. */
  deadlineMs: 30_000,
  /** How long `ready()` waits. */
  readyTimeoutMs: 10_000,
  /** From the start of a connection to the end of its TLS handshake. */
  connectTimeoutMs: 5_000,
  /**
   * A connection without a call is closed after this. An ALB closes it after 60 s (`idle_timeout.timeout_seconds`);
   * the side that closes first never sends a call into a connection that is just being closed.
   */
  idleTimeoutMs: 50_000,
  /**
   * Silence after which TCP asks whether the peer is still there. HTTP/2 PING can't ask: an ALB doesn't answer it
   * (https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-listeners.html).
   */
  tcpKeepAliveMs: 30_000,
  /** One message, before compression, as on the server. */
  maxMessageBytes: 4 * 1024 * 1024,
  /**
   * The metadata of a call, counted as HTTP/2 counts it. The server takes 64 KiB, the protocol's own headers and the
   * token too; Node's HTTP/2 sends no more than that either.
   */
  maxMetadataBytes: 60 * 1024,
  /** What `--password-stdin` reads at most: more than any server takes for a password. */
  maxPasswordInputBytes: 64 * 1024,
  /** The first attempt counts. */
  maxAttempts: 5,
  /**
   * The longest wait before the second attempt; doubled before each further one. With 5 attempts they are 4.1 s
   * together at most, and half of that on average: a server can restart, and one that is down is soon reported.
   */
  initialBackoffMs: 300,
  /** No wait that the client chooses itself is longer. */
  maxBackoffMs: 2_000,
};
