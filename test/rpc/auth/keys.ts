import { hash } from 'node:crypto';
import type { ApiKey } from '../../../functions/rpc/index.ts';

/** A key that the server knows, made of a word. */
export function keyOf(word: string, name: string, scopes: readonly string[]): ApiKey {
  return { name, scopes, sha256: hash('sha256', word, 'buffer') };
}

/** How a caller shows it. */
export function bearer(word: string): { readonly authorization: string } {
  return { authorization: `Bearer ${word}` };
}
