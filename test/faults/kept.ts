import assert from 'node:assert/strict';
import { limits } from '../../functions/limits.ts';
import { etagOf } from '../../functions/users/account.ts';
import { passwordHasher } from '../../functions/users/password.ts';
import type { Account } from '../../functions/users/store.ts';
import type { Act, People, Person, Traits } from './people.ts';

/** All that a store holds. Whoever reads it has checked that its parts belong together. */
export interface Kept {
  readonly users: ReadonlyMap<number, Account>;
  /** `name <folded>` and `email <folded>` of those who were removed. */
  readonly holds: ReadonlySet<string>;
  /** The user of each request id. */
  readonly requests: ReadonlyMap<string, number>;
}

/** Acts that were under way at a kill, and those of them that were stored. */
export interface Tally {
  interrupted: number;
  stored: number;
}

/** Of each kind of act. */
export type Tallies = Record<Act['kind'], Tally>;

export const newTallies = (): Tallies => ({
  'sign-up': { interrupted: 0, stored: 0 },
  change: { interrupted: 0, stored: 0 },
  removal: { interrupted: 0, stored: 0 },
});

/** In a line, for people. */
export const tallyText = (tallies: Tallies): string =>
  Object.entries(tallies)
    .map(([kind, { interrupted, stored }]) => `${interrupted} ${kind}s, ${stored} of them stored`)
    .join('; ');

const hasher = passwordHasher(limits);

/**
 * Fails unless the store holds all that was acknowledged, nothing else, and of each act that was not, all or nothing:
 * name, address, password, etag and request id together. Counts these acts.
 */
export async function assertKept(kept: Kept, people: People, tallies = newTallies()): Promise<void> {
  const users = new Set<number>();
  const holds = new Set<string>();
  const requests = new Map<string, number>();
  for (const person of people.all) {
    const { act } = person;
    const isStored = act !== undefined && isDone(act, person, kept);
    if (act && person.wasInterrupted) {
      person.wasInterrupted = false;
      tallies[act.kind].interrupted += 1;
      if (isStored) tallies[act.kind].stored += 1;
    }
    const userId = idOf(person, act, kept);
    for (const id of person.requestIds) requests.set(id, userId);
    if (isStored && act.kind !== 'removal') requests.set(act.requestId, userId);
    const isGone = person.held !== undefined || (isStored && act.kind === 'removal');
    for (const hold of isGone ? holdsOf(person.held ?? person.traits) : []) holds.add(hold);
    const traits = isStored && act.kind !== 'removal' ? act.to : person.traits;
    if (isGone || traits === undefined) continue;
    users.add(userId);
    const account = kept.users.get(userId) ?? assert.fail(`${JSON.stringify(person)} is lost`);
    await assertAccount(account, traits, person, isStored);
  }
  assert.deepEqual(
    [...kept.users.keys()].filter((id) => !users.has(id)),
    [],
    'nobody else is there',
  );
  assert.equal(kept.users.size, users.size, 'each once');
  assertSame(kept.holds, holds, 'holds');
  const asTexts = (map: ReadonlyMap<string, number>) => new Set([...map].map((entry) => entry.join(' ')));
  assertSame(asTexts(kept.requests), asTexts(requests), 'request ids');
}

/** What is told of the request id tells it all, since all else must go with it; of a removal the user. */
function isDone(act: Act, { userId }: Person, { requests, users }: Kept): boolean {
  return act.kind === 'removal' ? !users.has(userId) : requests.has(act.requestId);
}

function idOf({ userId }: Person, act: Act | undefined, { requests }: Kept): number {
  return act?.kind === 'sign-up' ? (requests.get(act.requestId) ?? userId) : userId;
}

async function assertAccount(
  account: Account,
  traits: Traits,
  person: Person,
  isStored: boolean,
): Promise<void> {
  const { username, email = '', passwordHash, createdAtMs } = account;
  const about = `${JSON.stringify(person)} is ${JSON.stringify(account)}`;
  assert.deepEqual(
    [username, email, passwordHash !== undefined],
    [traits.username, traits.email, traits.password !== ''],
    about,
  );
  person.createdAtMs ??= createdAtMs ?? assert.fail(about);
  assert.equal(createdAtMs, person.createdAtMs, about);
  const isChanged = isStored && person.act?.kind === 'change';
  const isKnown = person.etag !== '';
  if (isKnown) assert.equal(etagOf(account) === person.etag, !isChanged, about);
  if (person.seenEtag !== undefined)
    assert.equal(account.etag, person.seenEtag, `a repeat changed it: ${about}`);
  person.seenEtag = person.act === undefined || isStored ? account.etag : undefined;
  // A hash takes 20 ms: of the others, CheckPassword tells.
  if (person.act === undefined || passwordHash === undefined) return;
  const { isRight } = await hasher.check(traits.password, passwordHash, {
    signal: AbortSignal.timeout(60_000),
  });
  assert.ok(isRight, about);
}

function holdsOf(traits: Traits | undefined): string[] {
  assert.ok(traits);
  const { username, email } = traits;
  const names = [`name ${username.toLowerCase()}`];
  return email === '' ? names : [...names, `email ${email.toLowerCase()}`];
}

function assertSame(actual: ReadonlySet<string>, expected: ReadonlySet<string>, what: string): void {
  const without = (one: ReadonlySet<string>, other: ReadonlySet<string>) =>
    [...one].filter((it) => !other.has(it));
  const differences = { lost: without(expected, actual), superfluous: without(actual, expected) };
  assert.deepEqual(differences, { lost: [], superfluous: [] }, `${what}: ${JSON.stringify(differences)}`);
}
