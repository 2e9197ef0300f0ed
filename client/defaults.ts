/** Every default of the typed client, each with its unit in its name. */
export const defaults = {
  /** Where `npm run dev` serves. */
  endpoint: 'http://127.0.0.1:50051',
  /** The deadline of a call that sets none: what the server gives to a call without one. */
  deadlineMs: 30_000,
  /** How long `ready()` waits. */
  readyTimeoutMs: 10_000,
  /** From the start of a connection to the first word of the server: its SETTINGS, or the end of a TLS handshake. */
  connectTimeoutMs: 5_000,
  /** The part of it that each address of a name gets, before the next one is tried: 2 s, longer than any round trip. */
  addressShare: 0.4,
  /**
   * A connection without a call is closed after this. An ALB closes it after 60 s (`idle_timeout.timeout_seconds`);
   * the side that closes first never sends a call into a connection that is just being closed.
   */
  idleTimeoutMs: 50_000,
  /** Silence after which TCP asks whether the peer's machine is still there. */
  tcpKeepAliveMs: 30_000,
  /**
   * Silence after which a PING asks the server itself. gRPC servers allow one every 5 minutes
   * (https://github.com/grpc/proposal/blob/master/A8-client-side-keepalive.md#server-enforcement).
   */
  keepaliveTimeMs: 300_000,
  /** How long its answer may take, as with grpc-go. */
  keepaliveTimeoutMs: 20_000,
  /**
   * A connection that is silent for the whole of a call that its caller cancels is left after this: longer than any
   * round trip.
   */
  silenceMs: 1_000,
  /**
   * What a server may send before it is read, of one answer and of all together. With the 64 KiB of HTTP/2 an answer of
   * 1 MiB takes 16 round trips.
   */
  streamWindowBytes: 1024 * 1024,
  connectionWindowBytes: 4 * 1024 * 1024,
  /** The path of a Unix socket, as Linux takes it (unix(7)). */
  maxSocketPathBytes: 107,
  /** One message, before compression, as on the server. */
  maxMessageBytes: 4 * 1024 * 1024,
  /**
   * The metadata of a call, counted as HTTP/2 counts it. The server takes 64 KiB, the protocol's own headers and the
   * token too; Node's HTTP/2 sends no more than that either.
   */
  maxMetadataBytes: 60 * 1024,
  /** Users that `users list` asks for at once: a server may give less. */
  listPageUsers: 1_000,
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
  /** gRPC's figures: retries end while more than a tenth of the calls fail, once five have. */
  maxRetryTokens: 10,
  retryTokenRatio: 0.1,
};
