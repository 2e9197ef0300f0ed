import { hash } from 'node:crypto';
import type { Caller } from './caller.ts';
import type { IssuerKey } from './issuer-keys.ts';

/** What is remembered of a token. */
interface Remembered {
  readonly caller: Caller;
  /** The key that its signature was verified with. */
  readonly key: IssuerKey;
  readonly expiresAtMs: number;
}

/**
 * Remembers tokens that were verified, by their hash: what is in memory lets nobody in. A token is known until it
 * expires, its key is withdrawn, or as many others have come after it.
 */
export class TokenMemory {
  readonly #tokens = new Map<string, Remembered>();
  readonly #maxTokens: number;

  constructor(maxTokens: number) {
    this.#maxTokens = maxTokens;
  }

  /** By what a token is remembered: its SHA-256. */
  static nameOf(token: string): string {
    return hash('sha256', token, 'base64');
  }

  /** Whose token it is; `undefined` if it has to be verified. */
  find(name: string, nowMs: number): Caller | undefined {
    const found = this.#tokens.get(name);
    if (found === undefined) return undefined;
    if (nowMs < found.expiresAtMs && !found.key.isWithdrawn) return found.caller;
    this.#tokens.delete(name);
    return undefined;
  }

  add(name: string, token: Remembered): void {
    this.#tokens.delete(name);
    // In the order in which they came: the first is the oldest.
    for (const oldest of this.#tokens.keys()) {
      if (this.#tokens.size < this.#maxTokens) break;
      this.#tokens.delete(oldest);
    }
    this.#tokens.set(name, token);
  }
}
