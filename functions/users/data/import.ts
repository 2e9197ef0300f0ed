import { setTimeout as delay } from 'node:timers/promises';
import { type Account, type SignUpResult, StoreError, type UserStore } from '../store.ts';
import { DataError } from './data-error.ts';
import { type ExportLine, maxLineBytes, readLine } from './export-format.ts';
import { linesOf } from './lines.ts';
import { progress } from './progress.ts';

/** How to sign up the users of an export. */
export interface ImportOptions {
  /** Without one, lines are only checked. */
  readonly store: UserStore | undefined;
  readonly from: AsyncIterable<Uint8Array>;
  /** Gets a line for each line of the export that is refused, and now and then while it takes long. */
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** How an import ended. */
export interface Imported {
  /** Signed up now; without a store: that would be tried. */
  readonly added: number;
  /** Were there just the same. */
  readonly present: number;
  /** Lines that were refused, each told of. */
  readonly refused: number;
  /** Whether it was all of an export; if not, it is told why not. */
  readonly isWhole: boolean;
}

/** Lines that are worked on at the same time: SQLite commits them together, DynamoDB has a socket for each. */
const concurrentLines = 64;
/** Tries of one sign-up while the store has too much to do, some 25 s in all. */
const maxTries = 8;

/**
 * Signs up the users of an export, with the ids, etags and times that they have. It may be repeated, also after it was
 * killed: who is there just the same is passed over. Lines that can't be had are told of in their order, and the rest
 * goes on.
 *
 * @throws DataError if it is no export; StoreError if the store fails; the signal's reason
 */
export async function importUsers({ store, from, say, signal }: ImportOptions): Promise<Imported> {
  let added = 0;
  let present = 0;
  let refused = 0;
  let number = 0;
  let accounts = 0;
  let expected: number | undefined;
  /** Of each line in its order: why it is refused. */
  const underWay: Promise<string | undefined>[] = [];
  let failure: { readonly cause: unknown } | undefined;

  async function take(read: ExportLine): Promise<string | undefined> {
    if (expected !== undefined) return 'comes after the end';
    switch (read.kind) {
      case 'head':
        return number > 1 ? 'is a second head' : undefined;
      case 'end':
        expected = read.accounts;
        return undefined;
      case 'bad':
        accounts += 1;
        return read.problem;
      case 'account':
        accounts += 1;
        return await add(read.account);
    }
  }

  /** Never rejects: the first failure is kept, and ends the loop. */
  async function add(account: Account): Promise<string | undefined> {
    try {
      const conflict = store && (await signUp(store, account, signal));
      if (conflict === undefined) added += 1;
      else if (conflict === 'present') present += 1;
      else return `${account.username}: ${conflict}`;
    } catch (cause) {
      failure ??= { cause };
    }
    return undefined;
  }

  /** Waits until no more lines than these are under way. */
  async function tell(most: number): Promise<void> {
    while (underWay.length > most) {
      const line = number - underWay.length + 1;
      const reason = await underWay.shift();
      if (reason === undefined) continue;
      refused += 1;
      say(`line ${line}: ${reason}`);
    }
  }

  using _ = progress(say, () => `${number} lines read`);
  for await (const line of linesOf(from, maxLineBytes)) {
    signal.throwIfAborted();
    number += 1;
    const read: ExportLine = 'text' in line ? readLine(line.text) : { kind: 'bad', problem: line.problem };
    if (number === 1 && read.kind !== 'head') {
      throw new DataError(
        `this is no export: its first line ${read.kind === 'bad' ? read.problem : 'is no head'}`,
      );
    }
    underWay.push(take(read));
    await tell(concurrentLines - 1);
    if (failure) break;
  }
  await tell(0);
  if (failure) throw failure.cause;
  const problem = incomplete(number, accounts, expected);
  if (problem !== undefined) say(problem);
  return { added, present, refused, isWhole: problem === undefined };
}

function incomplete(lines: number, accounts: number, expected: number | undefined): string | undefined {
  if (lines === 0) return 'the export is empty';
  if (expected === undefined) return 'the export was cut short: its last line, which counts, is missing';
  if (expected !== accounts) return `the export was made with ${expected} accounts, and has ${accounts}`;
  return undefined;
}

/** @returns `undefined` once signed up, `present`, or why not */
async function signUp(store: UserStore, account: Account, signal: AbortSignal): Promise<string | undefined> {
  const { username, userId, email, passwordHash, createdAtMs, etag } = account;
  const wanted = {
    username,
    userId,
    createdAtMs,
    etag,
    ...(email !== undefined && { email }),
    ...(passwordHash !== undefined && { passwordHash }),
  };
  const { outcome } = await patiently(() => store.signUp(wanted, signal), signal);
  if (outcome === 'created') return undefined;
  const there = await patiently(() => store.account({ userId }, signal), signal);
  if (there && isSame(there, account)) return 'present';
  if (there && isOfOne(there, account)) return 'is there, and has changed since';
  return conflicts[outcome];
}

const conflicts: Readonly<Record<SignUpResult['outcome'], string>> = {
  username_taken: 'another user has this name, or it is held for one who was removed',
  email_taken: 'another user has this e-mail address, or it is held for one who was removed',
  user_id_taken: 'another user has this id',
  created: '',
  repeated: '',
  request_id_reused: '',
};

function isSame(one: Account, other: Account): boolean {
  const keys = ['username', 'userId', 'email', 'passwordHash', 'createdAtMs', 'etag'] as const;
  return keys.every((key) => one[key] === other[key]);
}

/** Whether two accounts with one id are of one user. Ids are random, so another store may have given it to another. */
function isOfOne(one: Account, other: Account): boolean {
  const isOfOneTime = one.createdAtMs !== undefined && one.createdAtMs === other.createdAtMs;
  return isOfOneTime || one.username.toLowerCase() === other.username.toLowerCase();
}

/** Tries again what the store has no time for. A sign-up that was done after all is found to be there. */
async function patiently<T>(call: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof StoreError) || !(error.isOverload || error.retrySafe) || tries === maxTries) {
        throw error;
      }
      await delay(Math.min(error.retryAfterMs * 2 ** tries, 10_000), undefined, { signal });
    }
  }
}
