/**
 * Every limit of what surrounds a server in its process, each with its unit in its name; `docs/limits.md` lists them.
 */
export const processLimits = {
  /** Connections to the admin port. Further ones are closed at once. */
  maxAdminConnections: 32,
  /**
   * From the first byte of a request to the admin port to its last, and the time in which its answer must be read on.
   */
  adminTimeoutMs: 10_000,
  /** The body of such a request. */
  maxAdminRequestBytes: 1024,
  /** From the end of a heap snapshot to the next one: while one is taken, the process does nothing else. */
  heapSnapshotPauseMs: 60_000,
};

/** The type of these limits, for code that gets limits of its own. */
export type ProcessLimits = typeof processLimits;

/** The values that a limit may be set to, if they are not the usual ones of `limit-settings.ts`. Zero means none. */
export const processLimitRanges = {
  heapSnapshotPauseMs: { from: 0 },
} satisfies { [Name in keyof ProcessLimits]?: { from?: number; to?: number } };
