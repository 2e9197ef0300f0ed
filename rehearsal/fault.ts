import type { Sample } from './load.ts';
import type { Stage } from './stage.ts';

/** What came of a fault, besides the calls. */
export interface Effect {
  /** What did not happen that should have, a line each. */
  readonly problems: readonly string[];
  /** Whether calls that were under way in the end belong to it, too: the next act waits for them. Default: not */
  readonly hasAftermath?: boolean;
  /** Whether a call may have failed, without retries. Default: none may */
  readonly mayFail?: (sample: Sample) => boolean;
  /** The part of the calls without retries that may fail, from 0 to 1. Default: all that `mayFail` lets */
  readonly mostFailedPart?: number;
  /** Whether even a patient client may have noticed. Default: none may */
  readonly mayFailPatiently?: (sample: Sample) => boolean;
}

/** Something that happens to a service while it is called. */
export interface Fault {
  /** What happens, and what is expected, in a sentence. */
  readonly says: string;
  /** The Debian package that it needs and this machine lacks. Default: none */
  missing?(): string | undefined;
  /** Makes it happen, and returns once the service is as it was. */
  run(stage: Stage): Promise<Effect>;
}

/** The problem of a fault that has touched nothing: what it should have shown is not seen. */
export function notRun(touched: number, why: string): string[] {
  return touched > 0 ? [] : [`NOT RUN: ${why}`];
}
