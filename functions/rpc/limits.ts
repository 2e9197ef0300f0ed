/** Every limit and default of serving, each with its unit in its name. `docs/limits.md` says what each is worth. */
export const rpcLimits = {
  /** The deadline of a call whose client sets none. */
  defaultDeadlineMs: 30_000,
  /** The longest deadline: a client that asks for more gets this. */
  maxDeadlineMs: 300_000,
  /** The longest time of a call that lasts as long as its client wants: a health watch, or reflection. */
  maxWatchMs: 3_600_000,

  /** One message, before compression, in either direction. The default of grpc-go and grpc-js. */
  maxMessageBytes: 4 * 1024 * 1024,
  /** One request message, after decompression. GetUsers with 10,000 of the longest names takes 760 KB. */
  maxRequestBytes: 1024 * 1024,
  /** Objects that one request message may become: messages, texts and map entries, or values of JSON. */
  maxMessageElements: 50_000,
  /** Parameters in the query of a plain HTTP request. */
  maxQueryParameters: 1_000,
  /** How many bytes one compressed byte may become, beyond the floor below, which every message may inflate to. */
  maxInflateRatio: 100,
  inflateFloorBytes: 256 * 1024,
  /** Smaller messages are sent uncompressed even if the client accepts gzip: they would grow. */
  compressMinBytes: 1024,

  /** What all calls hold in memory: bytes received, inflated, decoded and queued for sending. */
  maxHeldBytes: 64 * 1024 * 1024,
  /** The shares of one client, and of one connection, in that. */
  maxHeldBytesPerClient: 32 * 1024 * 1024,
  maxHeldBytesPerConnection: 24 * 1024 * 1024,

  /** All request headers of a call. ALB passes at most 64 KiB. */
  maxHeaderBytes: 64 * 1024,
  /** Headers of a call over HTTP/2, each counted, the protocol's own too. */
  maxHeaderPairs: 256,
  /** Calls in parallel on one HTTP/2 connection. ALB opens 128. */
  maxConcurrentStreams: 256,
  /** Open connections, and those of one client; further ones are closed at once. */
  maxConnections: 4096,
  maxConnectionsPerClient: 1024,
  /** From the first byte of a request to its last, for requests without a deadline of their own. */
  requestTimeoutMs: 60_000,
  /** From the connection to the end of the first headers (HTTP/2: of its SETTINGS), TLS handshake included. */
  handshakeTimeoutMs: 10_000,
  /** A connection without a call is closed after this. Longer than ALB's idle timeout, else clients see 502. */
  idleTimeoutMs: 4_000_000,
  /**
   * A connection is closed after this, a tenth more or less by chance, and its clients open another: behind balancers of
   * layer 4, load moves so. Zero: never.
   */
  maxConnectionAgeMs: 0,
  /** Calls on a connection that is too old may go on for this long. */
  connectionAgeGraceMs: 300_000,
  /** Streams that a client may reset on a connection in a burst, and per second after it (CVE-2023-44487). */
  streamResetBurst: 1000,
  streamResetsPerSecond: 100,
  /**
   * What a client may send ahead on a stream and on a connection, before it hears that it was read: a window a round trip
   * is all that a long path carries. Of a call that does not read, the whole window counts as held memory.
   */
  streamWindowBytes: 1024 * 1024,
  connectionWindowBytes: 4 * 1024 * 1024,
  /** What Node may hold for one HTTP/2 connection: frames, headers, and data that waits. */
  maxSessionMemoryMiB: 64,
  /** Messages that wait to be read by a slow handler, and bytes that wait to be sent to a slow client. */
  maxQueuedMessages: 16,
  maxQueuedBytes: 64 * 1024,
  /** A client must read what is queued for it, `maxQueuedBytes` at most, in this time. */
  stallTimeoutMs: 20_000,
  /** Calls that may stay open as long as their client wants, health watches and reflection, and those of one client. */
  maxWatches: 1024,
  maxWatchesPerClient: 256,

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
};

/** The limits of serving, as a type for those who are given their own. */
export type RpcLimits = typeof rpcLimits;

/**
 * The values that they may be set to, both ends included, where those are not 1 to 2^31 - 1. Zero means at once, never,
 * none or all, as their names say.
 */
export const rpcLimitRanges = {
  compressMinBytes: { from: 0 },
  drainDelayMs: { from: 0 },
  drainTimeoutMs: { from: 0 },
  maxConnectionAgeMs: { from: 0 },
} satisfies { [Name in keyof RpcLimits]?: { from?: number; to?: number } };
