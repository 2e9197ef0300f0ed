/**
 * Every limit and default of the service, each with its unit in its name.
 *
 * Each can be set by an environment variable of the same name in upper case
 * (`drainTimeoutMs` is `DRAIN_TIMEOUT_MS`); `functions/users/config.ts` reads
 * them, and `docs/limits.md` lists them with what happens when one is exceeded.
 */
export const limits = {
  /** The deadline of a call whose client sets none. */
  defaultDeadlineMs: 30_000,
  /** The longest deadline: a client that asks for more gets this. */
  maxDeadlineMs: 300_000,

  /** One message, before compression, in either direction. The default of grpc-go and grpc-js. */
  maxMessageBytes: 4 * 1024 * 1024,
  /**
   * One request message, after decompression. GetUsers with 10,000 of the longest names takes 760 KB; reading ten times
   * as many small fields, which compress to nothing, would hold up all other calls.
   */
  maxRequestBytes: 1024 * 1024,
  /** Smaller messages are sent uncompressed even if the client accepts gzip: they would grow. */
  compressMinBytes: 1024,
  /** All request headers of a call. ALB passes at most 64 KiB. */
  maxHeaderBytes: 64 * 1024,
  /** Headers of a call over HTTP/2, each counted, the protocol's own too. */
  maxHeaderPairs: 256,
  /** Calls in parallel on one HTTP/2 connection. ALB opens 128. */
  maxConcurrentStreams: 256,
  /** Open connections; further ones are closed at once. */
  maxConnections: 4096,
  /** From the first byte of a request to its last, for requests without a deadline of their own. */
  requestTimeoutMs: 60_000,
  /** From the connection to the end of the first headers (HTTP/2: of its SETTINGS), TLS handshake included. */
  handshakeTimeoutMs: 10_000,
  /** A connection without a call is closed after this. Longer than ALB's idle timeout, else clients see 502. */
  idleTimeoutMs: 4_000_000,
  /** Streams that a client may reset on a connection in a burst, and per second after it (CVE-2023-44487). */
  streamResetBurst: 1000,
  streamResetsPerSecond: 100,
  /** What Node may hold for one HTTP/2 connection: frames, headers, and data that waits. */
  maxSessionMemoryMiB: 64,
  /** Messages that wait to be read by a slow handler, and bytes that wait to be sent to a slow client. */
  maxQueuedMessages: 16,
  maxQueuedBytes: 64 * 1024,
  /** Calls of health Watch, and calls of reflection, that may stay open: nothing but their client ends them. */
  maxWatches: 1024,

  /**
   * What is left of a call after its deadline, its status above all, must be read by the client in this time; and a
   * request whose response is out must end in it.
   */
  flushTimeoutMs: 2_000,

  /** From SIGTERM on, the time in which calls are still accepted while the load balancer takes notice. */
  drainDelayMs: 0,
  /** After the drain delay, the time in which running calls may finish. */
  drainTimeoutMs: 20_000,
  /** After the first GOAWAY, the time in which calls that cross it are still taken: a round trip. */
  goawayTimeoutMs: 500,

  /** Users in one GetUsers request. */
  maxUsersPerRequest: 10_000,
  /** Users read from the store at once: what DynamoDB's BatchGetItem takes. */
  readChunkUsers: 100,
  /** Chunks read ahead of what the client has taken. */
  readAheadChunks: 2,
  /** Passwords hashed at the same time, and waiting: each takes 19 MiB and some 20 ms of one core. */
  maxConcurrentHashes: 2,
  maxQueuedHashes: 64,
  /** Passwords of one client that wait: a quarter of the queue, so that others find room. */
  maxQueuedHashesPerClient: 16,
  /** Random user ids tried for one sign-up: of n users, each is taken with the chance n / 2^32. */
  maxUserIdAttempts: 8,
  /** For how long a request_id is remembered. */
  requestIdTtlMs: 24 * 60 * 60 * 1000,
  /** Requests with other content that may come with a request_id that is known. More would be guessing. */
  maxRequestIdMismatches: 5,
  /** Request ids whose mismatches are counted, some 150 bytes each. */
  maxMismatchedRequestIds: 10_000,
  /** Sign-ups that SQLite commits together, and that wait to be. */
  maxGroupedCommits: 256,
  maxQueuedSignUps: 10_000,
  /** How long a call waits for another process that writes to the same SQLite file. */
  sqliteBusyTimeoutMs: 1_000,
  /** Users that the store in memory takes, some 300 bytes each. */
  maxMemoryUsers: 2_000_000,
  /** Sockets to DynamoDB. Each carries one request at a time. */
  dynamoMaxSockets: 64,
  /** Until a socket to DynamoDB is connected, and until a request on it is answered, before another try. */
  dynamoConnectTimeoutMs: 1_000,
  dynamoAttemptTimeoutMs: 2_000,
  /** Tries of one request to DynamoDB that is throttled or gets no answer. */
  dynamoMaxAttempts: 4,
  /** Tries of a transaction that conflicts with others, or of keys that a batch left out. */
  dynamoMaxTries: 10,
  /** How long a store may take for one call, within the deadline of the call. */
  storeTimeoutMs: 5_000,
};

/** The limits and defaults, as a type for those who are given their own. */
export type Limits = typeof limits;
