/**
 * Every limit and default of the Users service and its stores, each with its unit in its name. `docs/limits.md` lists
 * them with what happens when one is exceeded.
 */
export const usersLimits = {
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
  /**
   * Wrong passwords of one user, by the name, id or address that is given: so many at once, and then one each time that
   * so long has passed. Whether there is such a user makes no difference.
   */
  maxWrongPasswordsPerUser: 10,
  wrongPasswordRefillMs: 60_000,
  /** The same for one client of a caller, where the caller says which it is: more than the mistakes of one person. */
  maxWrongPasswordsPerClient: 30,
  wrongPasswordPerClientRefillMs: 60_000,
  /** The same for one caller, of all users and clients: more than the mistakes of all the people whom it speaks for. */
  maxWrongPasswordsPerCaller: 3_000,
  wrongPasswordPerCallerRefillMs: 200,
  /** Users, clients and callers whose wrong passwords are counted, so many of each, some 150 bytes each. */
  maxCountedGuessers: 100_000,
  /** Users on one page of ListUsers. */
  maxListedUsers: 1_000,
  /** Tries of a change or a removal whose user is changed by others meanwhile. */
  maxUpdateTries: 5,
  /** For how long the name and the e-mail address of a user who was removed stay taken. */
  deletedNameHoldMs: 30 * 24 * 60 * 60 * 1000,
  /** Random user ids tried for one sign-up: of n users, each is taken with the chance n / 2^32. */
  maxUserIdAttempts: 8,
  /** For how long a request_id is remembered. */
  requestIdTtlMs: 24 * 60 * 60 * 1000,
  /** Requests with other content that may come with a request_id that is known. More would be guessing. */
  maxRequestIdMismatches: 5,
  /** Request ids whose mismatches are counted, some 150 bytes each. */
  maxMismatchedRequestIds: 10_000,
  /** Sign-ups, changes and removals that SQLite commits together, and that wait to be. */
  maxGroupedCommits: 256,
  maxQueuedSignUps: 10_000,
  /** How long a call waits for another process that writes to the same SQLite file. */
  sqliteBusyTimeoutMs: 1_000,
  /** How long nothing was written to SQLite until its log is copied into the users file. */
  sqliteIdleCheckpointMs: 1_000,
  /** Users that the store in memory takes, some 300 bytes each. */
  maxMemoryUsers: 2_000_000,
  /** Sockets to DynamoDB. Each carries one request at a time. */
  dynamoMaxSockets: 64,
  /**
   * BatchGetItems under way until reads wait and share the next one, and how long they wait at most while there are
   * sockets. A full batch waits for nothing.
   */
  dynamoMaxConcurrentReads: 8,
  dynamoMaxReadWaitMs: 10,
  /** For how long a socket to DynamoDB is used: then its name is looked up anew. */
  dynamoMaxSocketAgeMs: 300_000,
  /** Until a socket to DynamoDB is connected, and until a request on it is answered, before another try. */
  dynamoConnectTimeoutMs: 1_000,
  dynamoAttemptTimeoutMs: 2_000,
  /** Tries of one request to DynamoDB that is throttled or gets no answer. */
  dynamoMaxAttempts: 4,
  /** Tries of a transaction that conflicts with others, of keys that a batch left out, or of a copy's next items. */
  dynamoMaxTries: 10,
  /** How long a store may take for one call, within the deadline of the call. */
  storeTimeoutMs: 5_000,
  /**
   * What the store answers within this time is not slow. When it takes much longer, and longer than it used to, fewer
   * calls wait for it, down to `minStoreCalls`, and the others are refused at once; reads and writes apart. Zero:
   * never.
   */
  storeSlowAfterMs: 100,
  minStoreCalls: 20,
  maxStoreCalls: 4096,
  /**
   * Reads, or writes, that the store fails one after the other, and the time from the first of them, until Users is
   * not ready.
   */
  unreadyAfterFailures: 3,
  unreadyAfterMs: 3_000,
  /** How often the store is asked meanwhile whether it works again. */
  storeProbeIntervalMs: 2_000,
};

/** The type of these limits, for code that gets limits of its own. */
export type UsersLimits = typeof usersLimits;

/**
 * The values that a limit may be set to, both ends included, if they are not 1 to 2^31 - 1. Zero means none, or at
 * once, as the name says.
 */
export const usersLimitRanges = {
  maxQueuedHashes: { from: 0 },
  readAheadChunks: { from: 0 },
  /** A date in the store, not a timer. */
  requestIdTtlMs: { to: Number.MAX_SAFE_INTEGER },
  deletedNameHoldMs: { from: 0, to: Number.MAX_SAFE_INTEGER },
  sqliteBusyTimeoutMs: { from: 0 },
  unreadyAfterMs: { from: 0 },
  storeSlowAfterMs: { from: 0, to: 60_000 },
  dynamoMaxReadWaitMs: { from: 0 },
} satisfies { [Name in keyof UsersLimits]?: { from?: number; to?: number } };

/** Limits of which the first can't be above the second where both are set. */
export const usersLimitPairs = [
  ['minStoreCalls', 'maxStoreCalls'],
  ['maxQueuedHashesPerClient', 'maxQueuedHashes'],
] as const satisfies readonly (readonly [keyof UsersLimits, keyof UsersLimits])[];
