import { type CryptoKey, importJWK, type JWK } from 'jose';
import { badToken, issuerUnavailable } from '../errors.ts';
import { fetchKeys } from './issuer-fetch.ts';
import type { JwtOptions } from './load-jwt.ts';

/** How tokens may be signed. Never with a secret: who can verify such a token can make one. */
export const algorithms = ['RS256', 'ES256', 'EdDSA'] as const;
/** @see algorithms */
export type Algorithm = (typeof algorithms)[number];

/** A public key of the issuer. */
export interface IssuerKey {
  readonly algorithm: Algorithm;
  readonly id: string | undefined;
  readonly publicKey: CryptoKey;
  /** The issuer has it no more: its tokens are not valid any longer. */
  isWithdrawn: boolean;
}

/**
 * Fetches the issuer's keys when they are needed first, and keeps them. One fetch serves all who wait. Keys that have
 * become old are fetched anew while calls go on with them; while the issuer is away, they stay.
 */
export class IssuerKeys {
  readonly #options: JwtOptions;
  readonly #now: () => number;
  /** By all that the issuer says of them: another text is another key. */
  #keys: ReadonlyMap<string, IssuerKey> = new Map();
  #fetching: Promise<void> | undefined;
  #isOldAtMs = Number.POSITIVE_INFINITY;
  #pausedUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: JwtOptions) {
    this.#options = options;
    // No correction of the machine's clock prolongs a pause.
    this.#now = options.now ?? (() => performance.now());
  }

  /**
   * The key that a token names. An unknown one may be new: then the keys are fetched, unless that was in vain a moment
   * ago.
   *
   * @throws BAD_CREDENTIALS if the issuer has no such key; ISSUER_UNAVAILABLE if none of its keys is known
   */
  async keyOf(algorithm: Algorithm, id: string | undefined): Promise<IssuerKey> {
    this.renew();
    const known = this.#find(algorithm, id);
    if (known !== undefined) return known;
    if (this.#fetching !== undefined || this.#now() >= this.#pausedUntilMs) {
      await this.#fetch();
      const found = this.#find(algorithm, id);
      if (found !== undefined) return found;
      this.#pause();
    }
    if (this.#keys.size > 0) throw badToken('the issuer has no such key');
    throw issuerUnavailable(this.#pausedUntilMs - this.#now());
  }

  /** Fetches keys that have become old, in the background. */
  renew(): void {
    if (this.#now() >= this.#isOldAtMs) this.#fetch();
  }

  /** A token need not name its key where only one can be meant (RFC 7515 section 4.1.4). */
  #find(algorithm: Algorithm, id: string | undefined): IssuerKey | undefined {
    const fitting = [...this.#keys.values()].filter(
      (key) => key.algorithm === algorithm && (id === undefined || key.id === id),
    );
    return fitting.length === 1 ? fitting[0] : undefined;
  }

  #pause(): void {
    this.#pausedUntilMs = this.#now() + this.#options.limits.issuerPauseMs;
  }

  #fetch(): Promise<void> {
    this.#fetching ??= this.#load().finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #load(): Promise<void> {
    const { limits, onFetchFailed } = this.#options;
    try {
      await this.#replace(await fetchKeys(this.#options));
      this.#isOldAtMs = this.#now() + limits.issuerKeysMaxAgeMs;
    } catch (cause) {
      this.#pause();
      if (this.#keys.size > 0) this.#isOldAtMs = this.#pausedUntilMs;
      onFetchFailed?.(new Error(`the keys of ${this.#options.issuer} can't be fetched`, { cause }));
    }
  }

  async #replace(descriptions: readonly object[]): Promise<void> {
    const keys = new Map<string, IssuerKey>();
    for (const it of descriptions) {
      const text = JSON.stringify(it);
      const key = this.#keys.get(text) ?? (await importKey(it));
      if (key !== undefined) keys.set(text, key);
    }
    for (const [text, key] of this.#keys) key.isWithdrawn = !keys.has(text);
    this.#keys = keys;
  }
}

/** Reads a key; `undefined` if it is none that signs tokens here, or is broken: the others may do. */
async function importKey(description: JWK): Promise<IssuerKey | undefined> {
  try {
    const { kid, use, key_ops: operations } = description;
    const algorithm = algorithmOf(description);
    const isToVerify = (use ?? 'sig') === 'sig' && (operations?.includes('verify') ?? true);
    if (algorithm === undefined || !isToVerify) return undefined;
    const publicKey = await importJWK(description, algorithm);
    if (publicKey instanceof Uint8Array || publicKey.type !== 'public') return undefined;
    const id = typeof kid === 'string' ? kid : undefined;
    return { algorithm, id, publicKey, isWithdrawn: false };
  } catch {
    return undefined;
  }
}

/** The one algorithm that a key is used with, whatever tokens say (RFC 8725 section 3.1). */
function algorithmOf({ kty, crv, alg }: JWK): Algorithm | undefined {
  if (kty === 'RSA') return (alg ?? 'RS256') === 'RS256' ? 'RS256' : undefined;
  if (kty === 'EC' && crv === 'P-256') return (alg ?? 'ES256') === 'ES256' ? 'ES256' : undefined;
  // RFC 9864 calls it by its curve.
  if (kty !== 'OKP' || crv !== 'Ed25519') return undefined;
  return ['EdDSA', 'Ed25519'].includes(alg ?? 'EdDSA') ? 'EdDSA' : undefined;
}
