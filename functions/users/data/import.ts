import { setTimeout as delay } from 'node:timers/promises';
import { type Account, type SignUpResult, StoreError, type UserStore } from '../store.ts';
import { maxLineBytes, readLine } from './export-format.ts';
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
}

/** Users that are signed up at the same time: SQLite commits them together, DynamoDB has a socket for each. */
const concurrentSignUps = 64;
/** Tries of one sign-up while the store has too much to do, some 25 s in all. */
const maxTries = 8;

/**
 * Signs up the users of an export, with the ids, etags and times that they have. It may be repeated, also after it was
 * killed: who is there just the same is passed over. A line that can't be had is told of, and the rest goes on.
 *
 * @throws StoreError if the store fails; the signal's reason
 */
export async function importUsers({ store, from, say, signal }: ImportOptions): Promise<Imported> {
  let added = 0;
  let present = 0;
  let refused = 0;
  let number = 0;
  let accounts = 0;
  let expected: number | undefined;
  const underWay = new Set<Promise<void>>();
  let failure: { readonly cause: unknown } | undefined;
  const refuse = (line: string) => {
    refused += 1;
    say(line);
  };

  /** Never rejects: the first failure is kept, and ends the loop. */
  async function add(account: Account, line: number): Promise<void> {
    try {
      const conflict = store && (await signUp(store, account, signal));
      if (conflict === undefined) added += 1;
      else if (conflict === 'present') present += 1;
      else refuse(`line ${line}: ${account.username}: ${conflict}`);
    } catch (cause) {
      failure ??= { cause };
    }
  }

  using _ = progress(say, () => `${number} lines read`);
  for await (const line of linesOf(from, maxLineBytes)) {
    signal.throwIfAborted();
    number += 1;
    const read = 'text' in line ? readLine(line.text) : { kind: 'bad' as const, problem: line.problem };
    if (number === 1 && read.kind !== 'head') {
      refuse(`line 1: is no head of an export${read.kind === 'bad' ? `: it ${read.problem}` : ''}`);
      return { added, present, refused };
    }
    if (expected !== undefined) refuse(`line ${number}: comes after the end`);
    else if (read.kind === 'bad') {
      accounts += 1;
      refuse(`line ${number}: ${read.problem}`);
    } else if (read.kind === 'end') expected = read.accounts;
    else if (read.kind === 'head') {
      if (number > 1) refuse(`line ${number}: is a second head`);
    } else {
      accounts += 1;
      const work = add(read.account, number).finally(() => underWay.delete(work));
      underWay.add(work);
      if (underWay.size >= concurrentSignUps) await Promise.race(underWay);
    }
    if (failure) break;
  }
  await Promise.all(underWay);
  if (failure) throw failure.cause;
  if (number === 0) refuse('the export is empty');
  else if (expected === undefined)
    refuse('the export was cut short: its last line, which counts, is missing');
  else if (expected !== accounts)
    refuse(`the export was made with ${expected} accounts, and has ${accounts}`);
  return { added, present, refused };
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
