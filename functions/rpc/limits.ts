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
  /** Elements of one request message: messages, texts, and whatever is in lists and maps; or values of JSON. */
  maxMessageElements: 50_000,
  /** Parameters in the query of a plain HTTP request. */
  maxQueryParameters: 1_000,
  /** How many bytes one compressed byte may become. Every message may inflate to the floor, whatever its ratio. */
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
  /** Headers of a call over HTTP/2, the protocol's own included. */
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
   * A connection is closed at this age, a tenth sooner or later by chance, and its client opens another: behind a
   * balancer of layer 4, load does not move otherwise. Zero: never.
   */
  maxConnectionAgeMs: 0,
  /** Calls on a connection that is too old may go on for this long. */
  connectionAgeGraceMs: 300_000,
  /**
   * Streams that a client may reset in a burst, and per second after it (CVE-2023-44487). A client is a connection;
   * behind trusted proxies it is an address that they name.
   */
  streamResetBurst: 1000,
  streamResetsPerSecond: 100,
  /** As many clients' shares of these has a connection that trusted proxies share between their clients. */
  resetSharesPerConnection: 100,
  /** Addresses whose resets are counted, some 150 bytes each. Those that come beyond them share one count. */
  maxClientsWithResets: 10_000,
  /** Frames that move no request on, of a connection in a burst, and per second after it; nghttp2's figures. */
  glitchBurst: 10_000,
  glitchesPerSecond: 330,
  /**
   * PINGs that come sooner than this after another, while nothing else happens on their connection, are strikes.
   * Clients of gRPC keep their connections alive every 10 s at most. Zero: they may come at any time.
   */
  minPingIntervalMs: 5_000,
  /** Strikes without consequence: as grpc-go. */
  maxPingStrikes: 2,
  /**
   * Bytes that a client may send ahead, on a stream and on a connection, before it hears that some were read: a long
   * path carries one window in each round trip. For a call that does not read, the whole window counts as held memory.
   * Of a request over HTTP/1.1, the former is what is read after its answer.
   */
  streamWindowBytes: 1024 * 1024,
  connectionWindowBytes: 4 * 1024 * 1024,
  /**
   * As far as these grow, on a path that carries more in a round trip and while there is memory. A call that does not
   * read is counted with its whole window.
   */
  maxStreamWindowBytes: 4 * 1024 * 1024,
  maxConnectionWindowBytes: 8 * 1024 * 1024,
  /** What Node may hold for one HTTP/2 connection: frames, headers, and data that waits. */
  maxSessionMemoryMiB: 64,
  /** Messages that wait for a slow handler, and bytes that wait for a slow client. */
  maxQueuedMessages: 16,
  maxQueuedBytes: 64 * 1024,
  /** A client must read what is queued for it, twice `maxQueuedBytes` at most, in this time. */
  stallTimeoutMs: 20_000,
  /**
   * Calls of one client that are open, by all its connections. Each takes 4 KiB and its headers, and may do any work.
   */
  maxCallsPerClient: 2048,
  /**
   * Turns of the event loop that are shorter are no overload. Once it is overloaded, each turn takes on what can be
   * done in this time, and refuses the rest: answers come some two turns after their requests. Zero: nothing is
   * refused.
   */
  overloadTurnMs: 20,
  /**
   * What a caller, or a client that nobody knows, may do in a time: each call costs a token, and more where the service
   * says so. Zero: as much as it likes.
   */
  tokensPerSecondPerCaller: 0,
  /** Tokens that a caller may have saved. A call may cost more; then the next one waits until that is paid off. */
  maxTokensPerCaller: 10_000,
  /** Callers whose buckets are not full, some 150 bytes each. Those beyond share one bucket. */
  maxCallersWithBuckets: 10_000,
  /** Open calls that last as long as their client wants (health watches, reflection), of all clients and of one. */
  maxWatches: 1024,
  maxWatchesPerClient: 256,
  /**
   * Lines of the log each second for calls that were refused or, where callers have to say who they are, that nobody is
   * known to make, such as health checks. The rest are counted in one line: they may be without end, and logs are paid
   * for.
   */
  maxRefusedLinesPerSecond: 10,
  /**
   * Traces that are sampled in a second because their callers ask for it: anybody who is let in can. Beyond it the
   * ratio of the server decides.
   */
  maxRemoteSampledPerSecond: 100,
  /** Calls in a second whose traces are kept because of a fault, though they are not sampled. */
  maxFaultTracesPerSecond: 10,

  /** Tokens (JWT) that are remembered until they expire, so that each is verified once. The oldest go first. */
  maxRememberedJwts: 10_000,
  /** Scopes of one token. Further ones are not granted. */
  maxScopesPerJwt: 256,
  /** Tokens of one client whose signatures may be wrong, at once and per second after it: each takes some 0.1 ms. */
  badJwtBurstPerClient: 1000,
  badJwtsPerSecondPerClient: 20,
  /** Clients whose wrong tokens are counted. Those that come beyond them share one count. */
  maxClientsWithBadJwts: 10_000,
  /** From the request for the issuer's keys to the end of its answer, discovery included. */
  issuerTimeoutMs: 5_000,
  /** One answer of the issuer. */
  maxIssuerResponseBytes: 256 * 1024,
  /** Keys that an issuer may have at a time. */
  maxIssuerKeys: 100,
  /** After a failure, or a token with a key that the issuer has not, its keys are not fetched for this time. */
  issuerPauseMs: 30_000,
  /** Older keys are fetched anew, while calls go on with them. */
  issuerKeysMaxAgeMs: 3_600_000,

  /** API keys that a server knows: each call is compared with all of them. */
  maxApiKeys: 100,
  /** Client certificates from headers that are remembered with their callers, some 300 bytes each. */
  maxRememberedCertificates: 1_000,

  /**
   * After a deadline, the client has this time to read what is left of the call, its status above all. After a
   * response, it has this time to end its request.
   */
  flushTimeoutMs: 2_000,

  /** After SIGTERM, the server still accepts calls for this time, until the load balancer has noticed. */
  drainDelayMs: 0,
  /** After the drain delay, running calls have this time to finish. */
  drainTimeoutMs: 20_000,
  /** After the first GOAWAY, the server still takes calls that cross it for this time: a round trip. */
  goawayTimeoutMs: 500,
};

/** The type of these limits, for code that gets limits of its own. */
export type RpcLimits = typeof rpcLimits;

/**
 * The values that a limit may be set to, both ends included, if they are not 1 to 2^31 - 1. Zero means at once, never,
 * none or all, as the name says.
 */
export const rpcLimitRanges = {
  tokensPerSecondPerCaller: { from: 0, to: 1_000_000 },
  compressMinBytes: { from: 0 },
  drainDelayMs: { from: 0 },
  drainTimeoutMs: { from: 0 },
  maxConnectionAgeMs: { from: 0 },
  minPingIntervalMs: { from: 0 },
  maxPingStrikes: { from: 0 },
  overloadTurnMs: { from: 0, to: 1_000 },
  maxRefusedLinesPerSecond: { from: 0 },
  maxRemoteSampledPerSecond: { from: 0 },
  maxFaultTracesPerSecond: { from: 0 },
} satisfies { [Name in keyof RpcLimits]?: { from?: number; to?: number } };

/** Limits of which the first can't be above the second where both are set. */
export const rpcLimitPairs = [
  ['streamWindowBytes', 'connectionWindowBytes'],
  ['maxStreamWindowBytes', 'maxConnectionWindowBytes'],
  // A window that is not read is held memory: a connection could never have all of it.
  ['maxConnectionWindowBytes', 'maxHeldBytesPerConnection'],
] as const satisfies readonly (readonly [keyof RpcLimits, keyof RpcLimits])[];
