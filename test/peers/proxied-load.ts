import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createUsersClient } from '../../client/client.ts';
import type { Endpoint } from '../../rehearsal/endpoint.ts';
import type { CallKind } from '../../rehearsal/load.ts';
import { everyKindOfCall } from '../../rehearsal/users-calls.ts';

/** Between two calls of a kind, on average. */
const pauseMs = 40;

/** Loops that make calls of each kind. */
const loopsPerKind = 2;

/** Calls of every kind, until they are stopped. Only those of gRPC are repeated by their client. */
export class ProxiedLoad {
  /** How calls failed that did, by their kind. */
  readonly failures = new Map<string, string[]>();
  readonly #endpoint: Endpoint;
  /** Users whose sign-up was acknowledged. */
  readonly #names: string[] = [];
  readonly #kinds: CallKind[];
  readonly #waiting = new Set<() => void>();
  #count = 0;
  #isStopped = false;
  #running: Promise<void>[] = [];

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
    const next = () => `load-${randomBytes(12).toString('hex')}`;
    const acknowledged = { names: this.#names, next };
    // nginx never repeats a call of gRPC that it has sent, so those are their client's to repeat.
    const kindsOf = (isGrpc: boolean, maxAttempts: number) =>
      everyKindOfCall(endpoint, acknowledged, maxAttempts).filter(
        // Hashing passwords would take most of the machine.
        ({ name }) => name.startsWith('gRPC ') === isGrpc && !name.includes('password'),
      );
    this.#kinds = Array.from({ length: loopsPerKind }, () => [
      ...kindsOf(true, 5),
      ...kindsOf(false, 1),
    ]).flat();
    for (const { name } of this.#kinds) this.failures.set(name, []);
  }

  /** Signs the first user up, and begins. */
  async start(): Promise<void> {
    await this.#kinds[0]?.call();
    this.#running = this.#kinds.map((kind) => this.#repeat(kind));
  }

  /** Waits until `count` more calls have ended. */
  async calls(count: number): Promise<void> {
    const until = this.#count + count;
    while (this.#count < until) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.add(resolve);
      await promise;
    }
  }

  /** Lets the calls under way end. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#running);
    for (const kind of this.#kinds) kind[Symbol.dispose]();
  }

  /** The users that were signed up and are not there. */
  async lost(): Promise<string[]> {
    const { url, ca, token } = this.#endpoint;
    using users = createUsersClient({ endpoint: url, tls: { ca }, token });
    const lost: string[] = [];
    for await (const { result } of users.getUsers({ user: this.#names.map((username) => ({ username })) })) {
      if (result.case !== 'user') lost.push(result.value?.username ?? '');
    }
    return lost;
  }

  async #repeat({ name, call }: CallKind): Promise<void> {
    while (!this.#isStopped) {
      await call().catch((error) => this.failures.get(name)?.push(String(error)));
      this.#count++;
      for (const look of this.#waiting) look();
      this.#waiting.clear();
      await sleep(Math.random() * 2 * pauseMs);
    }
  }
}
