import type { ConnectError } from '@connectrpc/connect';
import { deadlineExceeded, overloaded } from '../errors.ts';
import type { RpcLimits } from '../limits.ts';

/** What admission knows of the event loop. */
export interface LoopClock {
  /** The time, on the clock of `performance.now()`. */
  now(): number;
  /** For how many ms the loop has had nothing to do so far. Reading it takes some 1 µs. */
  idleMs(): number;
  /** Calls back when this turn of the loop has read all that was there to be read. */
  atEndOfTurn(done: () => void): void;
}

const nodeLoop: LoopClock = {
  now: () => performance.now(),
  idleMs: () => performance.eventLoopUtilization().idle,
  atEndOfTurn: (done) => setImmediate(done),
};

/** A loop that has waited for less has not waited: what it reads next was there before. */
const grainMs = 0.5;
/**
 * Fewer calls in a turn are no overload, however long they take: as many as one connection has under way, whose client
 * waits for answers before it sends more.
 */
const minCalls = 256;
/** After a turn without a wait, one of so many more calls that is long: more comes than is done. */
const growing = 1.5;
/** For this time after an overload, a long turn needs to show no more: clients that pause come back as many. */
const recentMs = 1_000;
/** Turns that stay so many times as long as they should, for this time, show the same of what grows slowly. */
const late = 5;
const patienceMs = 500;
/** A turn that is shorter than this part of the one before it: what has piled up goes by itself. */
const shrinking = 0.9;
/** The clock is read for one of so many calls that are refused in a row. */
const callsPerLook = 8;
/** The least part of the calls that is let in: it shows what calls take now. */
const minShare = 0.02;
/**
 * How long planned turns are, as a part of what they may be: of fewer calls at a time, the collector of garbage has
 * less to keep.
 */
const plannedPart = 1 / 2;
/** What a refusal takes, as a part of a call: if it takes more or less, turns find what fits later. */
const refusalPart = 1 / 8;
/** A turn that takes so many times as long as it should is more than a burst, which the next turns would get done. */
const tooLong = 3;
/** How many more calls than planned a turn lets in where more come than expected, and how much longer it may take. */
const slack = 2;
/** Refused calls shall come again after this time, longer the fewer are let in. */
const minPushbackMs = 100;

/**
 * Refuses calls at once when more come than can be done, before their bodies are read: answered late, they would all be
 * in vain.
 *
 * Calls queue in sockets, where no clock runs. But each turn of the event loop reads all that is there, which has
 * waited for the turn before it at most. So the length of turns is the age of what is read. A queue that goes by itself
 * is none, as in CoDel (RFC 8289): the loop is overloaded when a turn has many more calls than the one before it, is
 * long, and there was no wait between them; when turns stay long, or one is long that follows an overload; or when the
 * calls of one take all memory. From then on each turn takes on what can be done in half of `overloadTurnMs`, as the
 * turn before has shown it, until the loop has to wait. Which calls these are is left to chance: sockets are read in
 * the same order each time.
 */
export class Admission {
  readonly #turnMs: number;
  readonly #loop: LoopClock;
  /** Whether the turn that has begun at `#turnAtMs` goes on. */
  #isInTurn = false;
  #turnAtMs = Number.NEGATIVE_INFINITY;
  /** The loop's idle time when the turn had ended. */
  #idleMs = 0;
  /** How long the turn before was. */
  #lengthMs = 0;
  /** Whether the loop has not waited for this turn. */
  #isBusy = false;
  /** For how long something else than calls has held up this turn so far. */
  #heldMs = 0;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  /** When the first of the turns began that were much too long, of which the turn before is the last. */
  #lateSinceMs = Number.POSITIVE_INFINITY;
  #isOverloaded = false;
  /** When the last overload was over. */
  #overAtMs = Number.NEGATIVE_INFINITY;
  /** Calls since the turn has begun, and in the turn before. */
  #arrived = 0;
  #arrivedBefore = 0;
  #admitted = 0;
  #maxAdmitted = 0;
  /** The part of the calls that is let in. */
  #share = 1;
  /** What chance says of the next call. */
  #refusesNext = false;
  readonly #endOfTurn = () => {
    this.#isInTurn = false;
    this.#idleMs = this.#loop.idleMs();
  };

  constructor({ overloadTurnMs }: Pick<RpcLimits, 'overloadTurnMs'>, loop: LoopClock = nodeLoop) {
    this.#turnMs = overloadTurnMs;
    this.#loop = loop;
  }

  /** Whether `refusal` would refuse the next call as one too many. */
  get refusesNext(): boolean {
    if (!this.#isOverloaded) return false;
    // To read the clock costs a part of a refusal.
    if (this.#isInTurn && this.#refusesNext && this.#arrived % callsPerLook > 0) return true;
    const nowMs = this.#loop.now();
    this.#look(nowMs);
    return this.#isTooMuch(nowMs);
  }

  /**
   * Why a call must not begin: OVERLOADED, or DEADLINE_EXCEEDED where its time is up before it is answered. Call it
   * once for each.
   *
   * @param nowMs on the clock of `performance.now()`
   * @param timeoutMs what its client gives it; infinite for no deadline
   */
  refusal(nowMs: number, timeoutMs: number): ConnectError | undefined {
    this.#look(nowMs);
    if (this.#isTooMuch(nowMs)) return this.refuse();
    this.#count();
    // It has waited for half of a turn on average, and its answer waits for the other half.
    if (this.#isOverloaded && timeoutMs < this.#lengthMs) return deadlineExceeded();
    this.#admitted += 1;
    return undefined;
  }

  /** Counts a call that is refused, for which `refusesNext` holds. Returns what it is told. */
  refuse(): ConnectError {
    this.#count();
    // Spread, so that those who were refused together do not come again together.
    return overloaded((minPushbackMs / this.#share) * (0.75 + Math.random() / 2));
  }

  /**
   * Counts a call that is refused because calls hold all memory that they may together. Where most of a long turn was
   * let in before it, it is those calls that hold it: more comes than is done. Where most is refused, clients hold on
   * to memory, and others shall not be refused for that.
   */
  refusedForMemory(nowMs: number): void {
    this.#look(nowMs);
    this.#count();
    const isLong = nowMs - this.#turnAtMs >= slack * this.#turnMs && this.#arrived >= minCalls;
    if (isLong && 2 * this.#admitted >= this.#arrived && !this.#isOverloaded) this.#refuseRest();
  }

  #count(): void {
    this.#arrived += 1;
    if (this.#isOverloaded) this.#refusesNext = Math.random() >= this.#share;
  }

  #isTooMuch(nowMs: number): boolean {
    if (!this.#isOverloaded) {
      if (!this.#grows(nowMs)) return false;
      this.#refuseRest();
    }
    const isOverTime = nowMs - this.#turnAtMs > slack * this.#turnMs;
    return this.#refusesNext || isOverTime || this.#admitted >= this.#maxAdmitted;
  }

  /**
   * Whether this turn shows that more comes than is done. A turn that follows one which was held up is shorter than
   * that, where less comes: its work is what came meanwhile.
   */
  #grows(nowMs: number): boolean {
    if (this.#arrived < minCalls) return false;
    const workedMs = nowMs - this.#turnAtMs - this.#heldMs;
    if (nowMs - this.#overAtMs < recentMs) return workedMs >= slack * this.#turnMs;
    return (
      this.#isBusy &&
      this.#arrived >= growing * this.#arrivedBefore &&
      workedMs >= Math.max(tooLong * this.#turnMs, this.#lengthMs)
    );
  }

  /** What is left of this turn is too much. */
  #refuseRest(): void {
    this.#isOverloaded = true;
    this.#share = minShare;
  }

  /** Turns that end sooner are no trouble, and not looked at one by one. */
  #look(nowMs: number): void {
    const leastMs = this.#turnMs / 4;
    // No call takes so long: it was a collection of garbage, or the machine.
    if (nowMs - this.#lookedAtMs > leastMs) this.#heldMs += nowMs - this.#lookedAtMs - leastMs;
    this.#lookedAtMs = nowMs;
    if (!this.#isInTurn && nowMs - this.#turnAtMs >= leastMs) this.#begin(nowMs);
  }

  #begin(nowMs: number): void {
    const lengthMs = nowMs - this.#turnAtMs;
    const waitedMs = this.#loop.idleMs() - this.#idleMs;
    if (waitedMs > (this.#isOverloaded ? this.#turnMs / 2 : grainMs)) this.#keepUp(nowMs);
    else if (this.#isOverloaded && waitedMs > grainMs) this.#letInMore(nowMs);
    else if (this.#isOverloaded || this.#isLate(nowMs, lengthMs)) this.#plan(lengthMs);
    else this.#isBusy = true;
    this.#lengthMs = lengthMs;
    this.#turnAtMs = nowMs;
    this.#arrivedBefore = this.#arrived;
    this.#arrived = 0;
    this.#admitted = 0;
    this.#heldMs = 0;
    this.#isInTurn = true;
    this.#loop.atEndOfTurn(this.#endOfTurn);
  }

  /** Whether turns have been much too long for a time, and do not get shorter. */
  #isLate(nowMs: number, lengthMs: number): boolean {
    this.#lateSinceMs =
      lengthMs < late * this.#turnMs || this.#arrived < minCalls
        ? Number.POSITIVE_INFINITY
        : Math.min(this.#lateSinceMs, this.#turnAtMs);
    return lengthMs >= shrinking * this.#lengthMs && nowMs - this.#lateSinceMs >= patienceMs;
  }

  #keepUp(nowMs: number): void {
    if (this.#isOverloaded) this.#overAtMs = nowMs;
    this.#isOverloaded = false;
    this.#isBusy = false;
    this.#lateSinceMs = Number.POSITIVE_INFINITY;
    this.#share = 1;
    this.#refusesNext = false;
  }

  /** The loop had nothing to do for a moment: too much was refused. */
  #letInMore(nowMs: number): void {
    if (this.#share === 1) return this.#keepUp(nowMs);
    this.#share = Math.min(1, 4 * this.#share);
    this.#maxAdmitted = Number.POSITIVE_INFINITY;
  }

  /** What fits into a turn, calls and the refusals of all others that come meanwhile, at the pace of the last turn. */
  #plan(lengthMs: number): void {
    const plannedMs = plannedPart * this.#turnMs;
    const workedMs = Math.max(1, lengthMs - this.#heldMs);
    const fits = ((this.#admitted + refusalPart * (this.#arrived - this.#admitted)) * plannedMs) / workedMs;
    // The first socket that a turn reads has waited for the turn before, the last one for the turn itself.
    const expected = (this.#arrived * (lengthMs + plannedMs)) / (this.#lengthMs + lengthMs);
    const planned = Math.max(1, (fits - refusalPart * expected) / (1 - refusalPart));
    this.#isOverloaded = true;
    this.#share = Math.min(1, Math.max(minShare, planned / Math.max(1, expected)));
    this.#maxAdmitted = slack * planned;
    this.#refusesNext = Math.random() >= this.#share;
  }
}
