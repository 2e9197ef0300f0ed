/** What the console may keep, ask and hold. */
export const consoleLimits = {
  /** Calls that are remembered for those who look; older ones are forgotten. */
  maxRecentCalls: 500,
  /** What they take together, as JSON. */
  maxRecentBytes: 1024 * 1024,
  /** Calls that are remembered each second, the first ones; those that fail by a fault come besides. */
  maxRememberedPerSecond: 200,
  /**
   * Calls of nobody, each second, that are remembered where callers have to say who they are, or that were refused: a
   * flood of strangers hides nothing.
   */
  maxRefusedStrangersPerSecond: 10,
  /** What is shown of the text of an error, and of each line of the log's. */
  maxErrorCharacters: 4096,
  /** Latencies are those of so much time. */
  latencyWindowSeconds: 10,
  /** The event loop is looked at so often at most: all who look in between see the same. */
  minFiguresIntervalMs: 500,
} as const;
