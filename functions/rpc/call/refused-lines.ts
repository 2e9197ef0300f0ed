import { Code } from '@connectrpc/connect';
import { statusName } from './status.ts';

/** The codes of calls that cost their client nothing: no credential, no scope, no quota. */
const refusals: ReadonlySet<number> = new Set([
  Code.Unauthenticated,
  Code.PermissionDenied,
  Code.ResourceExhausted,
]);

/** What decides whether a call counts here. */
interface EndedCall {
  readonly caller: unknown;
}

/**
 * Bounds the lines of calls that anybody can make without end, because nothing meters them: those that were refused, and,
 * where callers have to say who they are, those of nobody. Some each second have their lines, the rest are counted.
 */
export class RefusedLines {
  readonly #maxPerSecond: number;
  readonly #knowsCallers: boolean;
  readonly #tell: (calls: number, codes: Record<string, number>) => void;
  #lines = 0;
  #untold = 0;
  readonly #codes = new Map<number, number>();

  /**
   * @param knowsCallers whether callers have to say who they are
   * @param tell is given, at the end of a second, how many calls had no line, and how many of each code
   */
  constructor(
    maxPerSecond: number,
    knowsCallers: boolean,
    tell: (calls: number, codes: Record<string, number>) => void,
  ) {
    this.#maxPerSecond = maxPerSecond;
    this.#knowsCallers = knowsCallers;
    this.#tell = tell;
  }

  /** Whether the call, which is no fault of the server, has a line; if not, it is counted. */
  admits({ caller }: EndedCall, status: number): boolean {
    if (!refusals.has(status) && (caller !== undefined || !this.#knowsCallers)) return true;
    if (this.#lines === 0) setTimeout(() => this.#begin(), 1_000).unref();
    this.#lines += 1;
    if (this.#lines <= this.#maxPerSecond) return true;
    this.#untold += 1;
    this.#codes.set(status, (this.#codes.get(status) ?? 0) + 1);
    return false;
  }

  #begin(): void {
    if (this.#untold > 0) {
      const codes = [...this.#codes].map(([status, calls]) => [statusName(status), calls]);
      this.#tell(this.#untold, Object.fromEntries(codes));
    }
    this.#lines = 0;
    this.#untold = 0;
    this.#codes.clear();
  }
}
