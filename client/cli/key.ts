import { hash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { UsageError } from './options.ts';
import { print } from './report.ts';

/** A key that a caller shows, and what the server is told of it. */
export interface NewKey {
  /** `usk_` and 32 random bytes: by its beginning, tools that look for leaked secrets find it. */
  readonly key: string;
  /** An entry of API_KEYS. */
  readonly entry: { readonly name: string; readonly scopes: readonly string[]; readonly sha256: string };
}

const keyBytes = 32;
/** As the server takes names. */
const validName = /^[\x21-\x7e]{1,128}$/;
/** Which scopes there are, the server knows: a service beside Users has its own. */
const validScope = /^(?:\*|\w[\w.:-]*)$/;
/** The scopes of this release's server. */
export const knownScopes = [
  'users.read',
  'users.write',
  'users.check',
  'users.private',
  'users.update',
  'users.delete',
  'users.list',
  'console.live',
] as const;

/**
 * Makes a key. The server needs its hash alone.
 *
 * @param scopes separated by commas; `*` is everything
 * @throws UsageError for a name or scopes that no server takes
 */
export function newKey(name: string, scopes: string): NewKey {
  if (!validName.test(name))
    throw new UsageError('a name is 1 to 128 visible characters of ASCII, without spaces');
  const list = scopes.split(',').map((it) => it.trim());
  if (!list.every((it) => validScope.test(it))) {
    throw new UsageError('--scopes takes names such as users.read,users.write, or "*"');
  }
  const key = `usk_${randomBytes(keyBytes).toString('base64url')}`;
  return { key, entry: { name, scopes: list, sha256: hash('sha256', key) } };
}

/**
 * Says which scopes no server of this release knows: it would not start with them. Others, which have services of their
 * own, may know them.
 */
export function warnOfScopes({ entry }: NewKey): void {
  const unknown = entry.scopes.filter((it) => it !== '*' && !knownScopes.some((known) => known === it));
  if (unknown.length === 0) return;
  console.error(`warning: a server that does not know the scope ${unknown.join(', ')} does not start.`);
  console.error(`  Users has ${knownScopes.join(', ')}, and "*" for everything.`);
}

/**
 * Shows a new key, once: on standard output the key and its entry, a line each, and on standard error what to do with
 * them.
 *
 * @param out a file for the key, which must not exist yet; then only the entry is shown
 * @throws UsageError if it can't be written
 */
export async function showKey(
  { key, entry }: NewKey,
  { out, json }: { out?: string; json: boolean },
): Promise<void> {
  if (out !== undefined) writeKey(out, key);
  if (json) return print(JSON.stringify(out === undefined ? { key, entry } : { entry }));
  if (out === undefined) {
    console.error('Give this key to the caller, for --token-file or USERS_TOKEN. It is not shown again:');
    await print(key);
  } else console.error(`Give the key in ${out} to the caller, for --token-file or USERS_TOKEN.`);
  console.error('Put this entry into the list in API_KEYS, or in API_KEYS_FILE, of the server:');
  await print(JSON.stringify(entry));
}

function writeKey(file: string, key: string): void {
  try {
    writeFileSync(file, `${key}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    const isThere = error instanceof Error && 'code' in error && error.code === 'EEXIST';
    throw new UsageError(
      `--out ${file} ${isThere ? 'exists already, and its entry can not be shown again: delete it, or give another name' : 'can not be written'}`,
    );
  }
}
