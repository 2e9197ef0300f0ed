import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type Client, Code, ConnectError } from '@connectrpc/connect';
import { ErrorInfoSchema } from '../../functions/rpc/index.ts';
import { etagOf } from '../../functions/users/account.ts';
import { firstEtag } from '../../functions/users/store.ts';
import type { Users } from '../../proto/gen/users_pb.js';

/** What a user chooses. Empty: there is none. */
export interface Traits {
  readonly username: string;
  readonly email: string;
  readonly password: string;
}

/** What somebody has begun and repeats until it is acknowledged. */
export type Act =
  | { readonly kind: 'sign-up' | 'change'; readonly to: Traits; readonly requestId: string }
  | { readonly kind: 'removal' };

/** Somebody for whom one call is made at a time, so that what must be stored is known. */
export interface Person {
  /** Zero until a sign-up is acknowledged. */
  userId: number;
  /** As acknowledged. `undefined` before the sign-up and after the removal. */
  traits?: Traits | undefined;
  /** As acknowledged. */
  etag: string;
  /** What is not acknowledged. */
  act?: Act | undefined;
  /** Whether a kill has met the act since it was counted last. */
  wasInterrupted?: boolean;
  /** Of what is acknowledged. */
  readonly requestIds: string[];
  /** The name and the address that are held, of somebody whose removal is acknowledged. */
  held?: Traits;
  /** As a look into the store has found them. */
  createdAtMs?: number;
  /** As a look has found it, of somebody for whom nothing new was begun since. */
  seenEtag?: string | undefined;
}

type UsersClient = Client<typeof Users>;

/** Repeats of these calls while the first is under way, and calls that must be refused. */
const twinShare = 1 / 8;
/** Hashing takes longer than all the rest. */
const passwordShare = 1 / 24;

/** People who sign up, change, log in and leave, and what of it was acknowledged. */
export class People {
  readonly all: Person[] = [];
  /** Acknowledged steps of each kind. */
  readonly done = { 'sign-up': 0, change: 0, removal: 0, look: 0 };
  /** Those whose act is to be repeated. */
  readonly unfinished: Person[] = [];
  readonly #idle: Person[] = [];
  /** What acknowledged changes have freed: the next who wants it must get it. */
  readonly #freeNames: string[] = [];
  readonly #freeEmails: string[] = [];
  #drawn = 0;

  /**
   * One step of somebody: of those whose act is unfinished, else of anybody. When it throws, the person is among the
   * unfinished again if it was an act.
   *
   * @param other where a repeat goes that is made at the same time
   */
  async step(client: UsersClient, other = client): Promise<void> {
    const chance = Math.random();
    const person =
      this.unfinished.pop() ?? (chance < 0.35 ? undefined : this.#takeIdle()) ?? this.#newcomer();
    if (!person.act && chance < 0.5) {
      try {
        await this.#look(client, person);
      } finally {
        this.#idle.push(person);
      }
      return;
    }
    if (!person.act) {
      person.seenEtag = undefined;
      person.act = chance < 0.8 ? this.#change(person) : { kind: 'removal' };
    }
    try {
      await this.#perform(person, person.act, client, other);
    } catch (error) {
      person.wasInterrupted = true;
      this.unfinished.push(person);
      throw error;
    }
    if (person.traits) this.#idle.push(person);
  }

  /** Repeats all that is unfinished. */
  async finish(client: UsersClient): Promise<void> {
    for (const person of this.unfinished.splice(0)) {
      if (person.act) await this.#perform(person, person.act, client, client);
    }
  }

  async #perform(person: Person, act: Act, client: UsersClient, other: UsersClient): Promise<void> {
    const at = Math.random() < twinShare ? [client, other] : [client];
    const { etag } = person;
    const settled = await Promise.allSettled(at.map((it) => this.#call(person, act, etag, it)));
    const reasons = settled.flatMap((call) => (call.status === 'rejected' ? [call.reason] : []));
    const fault = reasons.find((reason) => !isInterruption(reason));
    // One answer acknowledges it, whatever becomes of its twin.
    if (fault !== undefined || reasons.length === at.length) throw fault ?? reasons[0];
    const before = person.traits;
    this.done[act.kind] += 1;
    person.act = undefined;
    if (act.kind === 'removal') {
      person.traits = undefined;
      if (before) person.held = before;
      return;
    }
    person.requestIds.push(act.requestId);
    person.traits = act.to;
    if (!before) return;
    if (!isSame(before.username, act.to.username)) this.#freeNames.push(before.username);
    if (before.email !== '' && !isSame(before.email, act.to.email)) this.#freeEmails.push(before.email);
  }

  async #call(person: Person, act: Act, etag: string, client: UsersClient): Promise<void> {
    const { userId } = person;
    const key = { key: { case: 'userId', value: userId } } as const;
    if (act.kind === 'removal') {
      const { user } = await client.deleteUser({ key, etag });
      if (user) assert.equal(user.userId, userId);
      return;
    }
    const { requestId, to } = act;
    if (act.kind === 'sign-up') {
      const { user } = await client.createUser({ ...to, requestId });
      assert.equal(user?.username, to.username);
      if (person.userId === 0) person.userId = user.userId;
      assert.equal(user.userId, person.userId);
      person.etag = etagOf({ ...user, etag: firstEtag });
      return;
    }
    const updateMask = { paths: ['username', 'email', 'password'] };
    const { account } = await client.updateUser({ key, ...to, updateMask, etag, requestId });
    assert.deepEqual(
      [account?.user?.userId, account?.user?.username, account?.email, account?.hasPassword],
      [userId, to.username, to.email, to.password !== ''],
    );
    assert.notEqual(account?.etag, etag);
    person.etag = account?.etag ?? '';
  }

  /**
   * Calls that change nothing: what was acknowledged is there, its password is right, and nobody else gets its name.
   */
  async #look(client: UsersClient, { traits, userId, etag }: Person): Promise<void> {
    assert.ok(traits);
    const { username, email, password } = traits;
    this.done.look += 1;
    if (password !== '') {
      const { user } = await client.checkPassword({
        key: { key: { case: 'username', value: username } },
        password,
      });
      assert.equal(user?.userId, userId);
    } else if (Math.random() < twinShare) {
      await assertTaken(client.createUser({ username: username.toUpperCase() }));
    } else {
      const value = email === '' ? username : email;
      const { account } = await client.getAccount({
        key: { key: { case: email === '' ? 'username' : 'email', value } },
      });
      assert.deepEqual(
        [account?.user?.userId, account?.user?.username, account?.email, account?.etag, account?.hasPassword],
        [userId, username, email, etag, false],
      );
    }
  }

  #takeIdle(): Person | undefined {
    const at = Math.floor(Math.random() * this.#idle.length);
    const [taken, last] = [this.#idle[at], this.#idle.pop()];
    if (last !== undefined && last !== taken) this.#idle[at] = last;
    return taken;
  }

  #newcomer(): Person {
    const to = { username: this.#name(), email: this.#email(), password: drawPassword() };
    const act: Act = { kind: 'sign-up', to, requestId: randomUUID() };
    const person = { userId: 0, etag: '', act, requestIds: [] };
    this.all.push(person);
    return person;
  }

  #change({ traits }: Person): Act {
    assert.ok(traits);
    const { username, email, password } = traits;
    const draw = Math.random();
    const others = draw < 0.2 ? username.toUpperCase() : draw < 0.8 ? this.#name() : username;
    const to = {
      username: others,
      email: draw < 0.1 ? '' : draw < 0.6 ? this.#email() : email,
      password: draw < 0.5 ? drawPassword() : password,
    };
    return { kind: 'change', to, requestId: randomUUID() };
  }

  #name(): string {
    return this.#freeNames.shift() ?? `User-${this.#drawn++}`;
  }

  #email(): string {
    return this.#freeEmails.shift() ?? `Mail-${this.#drawn++}@x.org`;
  }
}

const drawPassword = () => (Math.random() < passwordShare ? `password ${randomUUID()}` : '');

const isSame = (one: string, other: string) => one.toLowerCase() === other.toLowerCase();

/** Fails unless a call ends because the name or the address is somebody's, or held. A server that is gone passes on. */
export async function assertTaken(call: Promise<unknown>): Promise<void> {
  const error = await call.then(() => assert.fail('a name was given twice'), ConnectError.from);
  if (error.code !== Code.AlreadyExists) throw error;
}

/** Whether a call ended with its server: no answer of the service has come. */
export function isInterruption(error: unknown): boolean {
  return error instanceof ConnectError && error.findDetails(ErrorInfoSchema).length === 0;
}
