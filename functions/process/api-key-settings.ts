import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type ApiKey, maxNameCharacters } from '../rpc/index.ts';
import type { Settings } from './settings.ts';

/** Reads a list of scopes out of JSON; undefined if it is none, or names one that does not exist. */
export type ReadScopes = (value: unknown) => readonly string[] | undefined;

/** What a bearer token may be made of (RFC 6750 section 2.1). */
const bearerToken = /^[\w.~+/-]+=*$/;
/** Shorter keys could be guessed: 20 random letters and digits have some 119 bits. */
const minKeyCharacters = 20;

/**
 * Reads the keys of API_KEYS, API_KEYS_FILE and API_KEY. Bad ones become problems of the settings, none of which shows
 * anything of what was set: a key may be in the wrong place.
 *
 * @param scopesText what scopes may be, for the line that refuses them
 */
export function readApiKeys(
  settings: Settings,
  readScopes: ReadScopes,
  scopesText: string,
  { maxApiKeys }: { readonly maxApiKeys: number },
): readonly ApiKey[] {
  const inFile = readKeysFile(settings);
  const entries = (setting: string, text: string | undefined) =>
    text === undefined ? [] : readEntries(settings, setting, text, readScopes, scopesText);
  const keys = [
    ...entries('API_KEYS', settings.text('API_KEYS')),
    ...entries('API_KEYS_FILE', inFile),
    ...readPlainKeys(settings),
  ];
  if (keys.length > maxApiKeys) {
    settings.problem(`there are ${keys.length} API keys: MAX_API_KEYS allows ${maxApiKeys}`);
  }
  const hashes = new Set(keys.map(({ sha256 }) => sha256.toString('hex')));
  if (hashes.size < keys.length) settings.problem('two API keys are the same: each caller needs its own');
  return keys;
}

function readKeysFile(settings: Settings): string | undefined {
  const file = settings.text('API_KEYS_FILE');
  if (file === undefined) return undefined;
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? `: ${error.code}` : '';
    settings.problem(`API_KEYS_FILE can't be read${code}`);
    return undefined;
  }
}

function readEntries(
  settings: Settings,
  setting: string,
  text: string,
  readScopes: ReadScopes,
  scopesText: string,
): ApiKey[] {
  const list = parsed(text);
  if (Array.isArray(list) && list.length === 0) {
    settings.problem(`${setting}: the list is empty: did \`users key new\` fail?`);
    return [];
  }
  if (!Array.isArray(list)) {
    settings.problem(
      `${setting} must be a list in JSON of {"name","scopes","sha256"}, as \`users key new\` prints them`,
    );
    return [];
  }
  return list.flatMap((entry: unknown, index) => {
    const refuse = (expected: string) => {
      settings.problem(`${setting}, entry ${index + 1}: ${expected}`);
      return [];
    };
    const { name, scopes, sha256 } = Object(entry) as Record<string, unknown>; // JSON: whatever it is
    const allowed = readScopes(scopes);
    if (!isName(name)) return refuse(`name must be a text of 1 to ${maxNameCharacters} visible characters`);
    if (allowed === undefined) return refuse(`scopes must be ${scopesText}`);
    if (typeof sha256 !== 'string' || !/^[\da-f]{64}$/i.test(sha256)) {
      return refuse('sha256 must be the hash of the key, 64 hexadecimal digits');
    }
    return [{ name, scopes: allowed, sha256: Buffer.from(sha256, 'hex') }];
  });
}

/** Plain keys, as Secrets Manager keeps one: several while it is replaced. */
function readPlainKeys(settings: Settings): ApiKey[] {
  // What it names is in API_KEY by now (`home.ts`).
  settings.text('API_KEY_SECRET');
  const keys = (settings.text('API_KEY') ?? '').split(/\s+/).filter((it) => it !== '');
  if (keys.some((it) => it.length < minKeyCharacters || !bearerToken.test(it))) {
    settings.problem(
      `API_KEY must be keys of at least ${minKeyCharacters} letters, digits and . _ ~ + / -, separated by spaces`,
    );
  }
  if (keys.length === 0 && settings.text('API_KEY') !== undefined) {
    settings.problem('API_KEY must have a key: it has nothing but spaces');
  }
  return keys.map((key) => ({ name: 'default', scopes: ['*'], sha256: hash('sha256', key, 'buffer') }));
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value.length <= maxNameCharacters && /^[\x21-\x7e]+$/.test(value);
}

/** The value of JSON; undefined for a text that is none. What `JSON.parse` says of it would quote it. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
