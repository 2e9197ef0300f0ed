import type { JsonValue } from '@bufbuild/protobuf';
import { isObject } from './json-text.ts';

/**
 * Whether metadata of this name may hold a credential: `authorization`, `cookie`, `x-api-key`, `my-token` and the like.
 */
export function isSecretMetadata(name: string): boolean {
  return (
    /(^|[-_.])(authorization|auth|cookie|credentials?|passw(or)?d|pwd|session([-_]?id)?|jwt|bearer|signature)$/i.test(
      name,
    ) || /(^|[-_.]|api|access|auth|private)(key|token|secret)s?(-bin)?$/i.test(name)
  );
}

/** Whether a field of this name may hold a secret, such as `password` or `apiKey`. */
export function isSecretField(name: string): boolean {
  return /(passw(or)?d|pwd|passphrase|secret|token|credential|api_?key|private_?key|jwt|otp|(^|_)pin|Pin)s?$/i.test(
    name,
  );
}

/** A request without the fields that may hold a secret, and their names. */
export function withoutSecrets(json: JsonValue): { json: JsonValue; left: readonly string[] } {
  const left = new Set<string>();
  const copy = (value: JsonValue): JsonValue => {
    if (Array.isArray(value)) return value.map(copy);
    if (!isObject(value)) return value;
    const entries = Object.entries(value).filter(([name, held]) => {
      const isLeft = isSecretField(name) && held !== '';
      if (isLeft) left.add(name);
      return !isLeft;
    });
    return Object.fromEntries(entries.map(([name, held]) => [name, copy(held)]));
  };
  return { json: copy(json), left: [...left] };
}
