import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createUsersClient } from '../../client/client.ts';
import { type Acknowledged, type CallKind, everyKindOfCall } from './calls.ts';
import type { Endpoint } from './endpoint.ts';

/** A call that failed. */
export interface Failure {
  readonly kind: string;
  /** On the clock of `performance.now()`. */
  readonly beganMs: number;
  readonly endedMs: number;
  readonly error: unknown;
}

/** What came of the calls of one kind. */
export interface Tally {
  readonly kind: string;
  readonly calls: number;
  readonly longestMs: number;
  readonly failures: readonly Failure[];
}

/** Between two calls of a kind, on average: a stand-in for DynamoDB answers some dozens of requests a second. */
const pauseMs = 400;

/** Users that one check in the end asks for. */
const checkedAtOnce = 500;

/** Calls of every kind, each kind one after the other, until they are stopped. */
export class Load {
  readonly #endpoint: Endpoint;
  readonly #acknowledged: Acknowledged;
  readonly #kinds: CallKind[];
  readonly #stop = new AbortController();
  readonly #running: Promise<Tally>[] = [];

  /**
   * @param maxAttempts of a call: 1 shows what the deployment does, more show what clients notice of it
   */
  constructor(endpoint: Endpoint, maxAttempts: number) {
    this.#endpoint = endpoint;
    const run = randomBytes(6).toString('hex');
    let count = 0;
    this.#acknowledged = { names: [], next: () => `load-${run}-${count++}` };
    this.#kinds = everyKindOfCall(endpoint, this.#acknowledged, maxAttempts);
  }

  /** Signs the first user up, and begins. */
  async start(): Promise<void> {
    await this.#kinds[0]?.call();
    for (const kind of this.#kinds) this.#running.push(repeat(kind, this.#stop.signal));
  }

  /** Lets the calls under way end, and tells what came of all of them. */
  async stop(): Promise<Tally[]> {
    this.#stop.abort();
    const tallies = await Promise.all(this.#running);
    for (const kind of this.#kinds) kind[Symbol.dispose]();
    return tallies;
  }

  /** How many sign-ups were acknowledged, and the users of them that are not there. */
  async lost(): Promise<{ acknowledged: number; lost: string[] }> {
    const { url, ca, serverName, token } = this.#endpoint;
    using client = createUsersClient({ endpoint: url, serverName, token, tls: { ca } });
    const { names } = this.#acknowledged;
    const lost: string[] = [];
    for (let from = 0; from < names.length; from += checkedAtOnce) {
      const user = names.slice(from, from + checkedAtOnce).map((username) => ({ username }));
      for await (const { result } of client.getUsers({ user })) {
        if (result.case !== 'user') lost.push(result.value?.username ?? '');
      }
    }
    return { acknowledged: names.length, lost };
  }
}

async function repeat(kind: CallKind, stop: AbortSignal): Promise<Tally> {
  const failures: Failure[] = [];
  let calls = 0;
  let longestMs = 0;
  while (!stop.aborted) {
    calls++;
    const beganMs = performance.now();
    try {
      await kind.call();
    } catch (error) {
      failures.push({ kind: kind.name, beganMs, endedMs: performance.now(), error });
    }
    longestMs = Math.max(longestMs, performance.now() - beganMs);
    await sleep(Math.random() * 2 * pauseMs);
  }
  return { kind: kind.name, calls, longestMs, failures };
}
