/** What a client over the long path has measured of one call. */
export interface Reading {
  /** Calls that were made at a time, this one among them. */
  readonly parallel: number;
  /** Until the first result: the request has gone there, and the answer has begun to come. */
  readonly firstMs: number;
  readonly wholeMs: number;
}

/** How many calls are made at a time. */
export const atATime = [1, 8] as const;
