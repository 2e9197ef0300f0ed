import { createHash, createHmac, createSecretKey, type Hash, type Hmac, type KeyObject } from 'node:crypto';

/** Text or bytes, as `@smithy/signature-v4` gives them. */
type Source = string | ArrayBuffer | ArrayBufferView;

/**
 * Keys that were used, as long as their bytes are kept elsewhere, as the signer keeps that of the day. With bytes for a
 * key, node's HMAC takes ten times as long.
 */
const keys = new WeakMap<ArrayBuffer | ArrayBufferView, KeyObject>();

/** SHA-256, plain or with a key, as `@smithy/signature-v4` wants it, by node's own crypto. Keys must not be changed. */
export class Sha256 {
  readonly #key: string | KeyObject | undefined;
  #hash: Hash | Hmac;

  constructor(key?: Source) {
    this.#key = key === undefined || typeof key === 'string' ? key : keyOf(key);
    this.#hash = this.#begin();
  }

  update(data: Source): void {
    this.#hash.update(typeof data === 'string' ? data : bytesOf(data));
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }

  reset(): void {
    this.#hash = this.#begin();
  }

  #begin(): Hash | Hmac {
    return this.#key === undefined ? createHash('sha256') : createHmac('sha256', this.#key);
  }
}

function keyOf(bytes: ArrayBuffer | ArrayBufferView): KeyObject {
  const known = keys.get(bytes);
  if (known) return known;
  const key = createSecretKey(bytesOf(bytes));
  keys.set(bytes, key);
  return key;
}

function bytesOf(data: ArrayBuffer | ArrayBufferView): Buffer {
  return ArrayBuffer.isView(data)
    ? Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    : Buffer.from(data);
}
