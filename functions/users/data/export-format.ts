import { createdAtOf } from '../created-at.ts';
import { parameterSets } from '../password.ts';
import { readPhc } from '../phc.ts';
import type { Account } from '../store.ts';
import { isEmail, isUsername } from '../validation.ts';

/**
 * An export is JSON lines: the head, one account a line, and the end, which counts them. So a file that was cut short
 * is told from a whole one.
 */
const format = 'users-export';
const version = 1;

/** More than any account takes, even with each character escaped, in bytes. */
export const maxLineBytes = 16_384;

/** Etags are what stores have made: more than any of theirs, in characters. */
const maxEtagLength = 128;

/** A line of an export, read. `problem` says in a few words why it is none, without anything secret. */
export type ExportLine =
  | { readonly kind: 'head' }
  | { readonly kind: 'account'; readonly account: Account }
  | { readonly kind: 'end'; readonly accounts: number }
  | { readonly kind: 'bad'; readonly problem: string };

/** The first line, without its end. */
export const headLine = JSON.stringify({ format, version });

/** The last line, without its end. */
export function endLine(accounts: number): string {
  return JSON.stringify({ end: true, accounts });
}

/** The line of an account, without its end. What is not known of it is left out. */
export function accountLine(account: Account): string {
  const { username, userId, email, passwordHash, etag } = account;
  const createdAtMs = createdAtOf(account);
  const createdAt = createdAtMs === undefined ? undefined : new Date(createdAtMs).toISOString();
  return JSON.stringify({ username, userId, email, passwordHash, createdAt, etag });
}

/** Reads a line strictly: nothing is imported that no sign-up could have made. */
export function readLine(text: string): ExportLine {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return bad('is no JSON'); // what JSON.parse says shows the line, and hashes with it
  }
  if (!isObject(value)) return bad('is no JSON object');
  if ('format' in value) return readHead(value);
  if ('end' in value) return readEnd(value);
  return readAccount(value);
}

type Fields = Readonly<Record<string, unknown>>;

function readHead(fields: Fields): ExportLine {
  if (fields.format !== format) return bad(`has a format other than "${format}"`);
  if (fields.version === version) return { kind: 'head' };
  return bad(`has a version other than ${version}: a newer release has written it`);
}

function readEnd({ end, accounts, ...others }: Fields): ExportLine {
  const isRight = end === true && isWhole(accounts, 0, Number.MAX_SAFE_INTEGER);
  return isRight && Object.keys(others).length === 0 ? { kind: 'end', accounts } : bad('is no end');
}

function readAccount(fields: Fields): ExportLine {
  const { username, userId, email, passwordHash, createdAt, etag, ...others } = fields;
  const [unknown] = Object.keys(others);
  // The name may be anything, and long.
  if (unknown !== undefined) return bad('has a field that no account has');
  if (typeof username !== 'string' || !isUsername(username)) return bad('has no valid username');
  if (!isWhole(userId, 1, 2 ** 32 - 1)) return bad('has no valid userId: 1 to 4294967295');
  if (email !== undefined && !(typeof email === 'string' && isEmail(email))) {
    return bad('has an email that is no address');
  }
  if (passwordHash !== undefined && !isHash(passwordHash)) {
    return bad('has a passwordHash that this service can not check');
  }
  const createdAtMs = createdAt === undefined ? undefined : timeOf(createdAt);
  if (createdAt !== undefined && createdAtMs === undefined) {
    return bad('has a createdAt that is no time such as 2026-11-27T23:00:00.000Z');
  }
  if (typeof etag !== 'string' || !etagPattern.test(etag)) return bad('has no valid etag');
  return { kind: 'account', account: { username, userId, email, passwordHash, createdAtMs, etag } };
}

const etagPattern = new RegExp(`^[\\x21-\\x7e]{1,${maxEtagLength}}$`);

function isHash(value: unknown): value is string {
  return typeof value === 'string' && readPhc(value, parameterSets) !== undefined;
}

/** RFC 3339 as `toISOString` writes it, and no other way: what comes back is what was there. */
function timeOf(value: unknown): number | undefined {
  if (typeof value !== 'string' || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(value)) return undefined;
  const ms = Date.parse(value);
  return !Number.isNaN(ms) && new Date(ms).toISOString() === value
    ? createdAtOf({ createdAtMs: ms })
    : undefined;
}

function isWhole(value: unknown, from: number, to: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= from && value <= to;
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function bad(problem: string): ExportLine {
  return { kind: 'bad', problem };
}
