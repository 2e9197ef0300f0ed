import { type CallObserver, type CallRecord, isFault, isRefusal, RateLimit } from '../../rpc/index.ts';
import { consoleLimits } from './limits.ts';
import { liveCallOf } from './live-call.ts';

/** A call that is remembered, as the JSON of a `LiveCall`. */
interface Remembered {
  readonly seq: number;
  readonly json: string;
}

/** What has happened since a call. */
export interface Since {
  /** The latest call that there was. */
  readonly last: number;
  /** Calls since then that are no longer remembered. */
  readonly missed: number;
  /** The others, the oldest first, each in JSON. */
  readonly calls: readonly string[];
}

type Limits = Pick<
  Record<keyof typeof consoleLimits, number>,
  'maxRecentCalls' | 'maxRecentBytes' | 'maxRememberedPerSecond' | 'maxRefusedStrangersPerSecond'
>;

/** Remembers the latest calls of a server, as observers are told of them. */
export class RecentCalls implements CallObserver {
  /** Whether callers have to say who they are: then calls of nobody are limited, whatever their status. */
  knowsCallers = false;
  readonly #limits: Limits;
  readonly #calls: Remembered[] = [];
  readonly #rate: RateLimit;
  readonly #strangers: RateLimit;
  #bytes = 0;
  #last = 0;

  /** `limits`: those of `limits.ts` by default. */
  constructor(limits: Limits = consoleLimits) {
    this.#limits = limits;
    this.#rate = new RateLimit(limits.maxRememberedPerSecond);
    this.#strangers = new RateLimit(limits.maxRefusedStrangersPerSecond);
  }

  ended(call: CallRecord, status: number): void {
    const isOfStranger = call.caller === undefined && (this.knowsCallers || isRefusal(status));
    if (isOfStranger && !this.#strangers.admits()) return;
    this.#last += 1;
    // It is missed, as one that is forgotten. What is shown of a call costs as much as a small call itself.
    if (!this.#rate.admits() && !isFault(call.error)) return;
    const seq = this.#last;
    const json = JSON.stringify({ seq, ...liveCallOf(call, status) });
    this.#calls.push({ seq, json });
    this.#bytes += bytesOf(json);
    const { maxRecentCalls, maxRecentBytes } = this.#limits;
    while (this.#calls.length > maxRecentCalls || this.#bytes > maxRecentBytes) {
      this.#bytes -= bytesOf(this.#calls.shift()?.json ?? '');
    }
  }

  /**
   * The calls after the one with a number.
   *
   * @param after 0 for all; a number that is yet to come, of a server that was there before this one, counts as 0
   */
  since(after: number): Since {
    const from = after > this.#last ? 0 : after;
    const calls = this.#calls.filter(({ seq }) => seq > from);
    return {
      last: this.#last,
      missed: this.#last - from - calls.length,
      calls: calls.map(({ json }) => json),
    };
  }
}

/** What a text takes at most in memory. */
function bytesOf(text: string): number {
  return text.length * 2;
}
