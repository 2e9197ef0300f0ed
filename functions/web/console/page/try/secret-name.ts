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
  return /(passw(or)?d|pwd|passphrase|secret|(?<!page_?)token|credential|api_?key|private_?key|jwt|otp|(^|_)pin|Pin)s?$/i.test(
    name,
  );
}

/** Of no alphabet, and JSON writes it as it is: it marks the name of a secret where its value was. */
const mark = '\u{F0000}';

/** A request with marks in place of what its secret fields hold, for `fillMarks`, and the names of these fields. */
export function markSecrets(json: JsonValue): { marked: JsonValue; names: readonly string[] } {
  const names = new Set<string>();
  // A crafted link could have marks of its own, which would read files that nobody meant.
  const unmarked = (text: string) => text.replaceAll(mark, '');
  const copy = (value: JsonValue, secret?: string): JsonValue => {
    if (Array.isArray(value)) return value.map((it) => copy(it, secret));
    if (isObject(value)) {
      const entries = Object.entries(value);
      return Object.fromEntries(
        entries.map(([name, held]) => [unmarked(name), copy(held, isSecretField(name) ? name : secret)]),
      );
    }
    if (value === '' || value === null || typeof value === 'boolean') return value;
    if (secret === undefined) return typeof value === 'string' ? unmarked(value) : value;
    names.add(secret);
    return `${mark}${unmarked(secret)}${mark}`;
  };
  return { marked: copy(json), names: [...names] };
}

/** Replaces the marks in a text, with the quotes around each, by what reads the secret of that name. */
export function fillMarks(text: string, read: (name: string) => string): string {
  return text.replace(/\\?"\u{F0000}(\w+)\u{F0000}\\?"/gu, (_, name: string) => read(name));
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
