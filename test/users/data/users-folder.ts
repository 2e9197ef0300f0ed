import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Account, UserStore } from '../../../functions/users/store.ts';
import { openSqliteStore } from '../../../functions/users/stores/sqlite.ts';
import { UsersCommand } from '../../client/command.ts';
import { ServerProcess } from '../../support/process.ts';

const signal = AbortSignal.timeout(300_000);

/** A hash that a server could have stored, of no password that anybody knows. */
export const someHash = `$argon2id$v=19$m=19456,t=2,p=1$${'c2FsdHNhbHRzYWx0c2E'.slice(0, 16)}$${'A'.repeat(43)}`;

/** Folders with users, and the commands that work on them. Disposal removes all of it. */
export class UsersFolder implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'users-data-'));
  readonly #command = new UsersCommand('http://127.0.0.1:1');

  /** A path in it. */
  path(...names: string[]): string {
    return join(this.folder, ...names);
  }

  /** Names that are in a folder of it, other than `.partial` ones. */
  list(name = '.'): string[] {
    return readdirSync(this.path(name))
      .filter((it) => !it.endsWith('.partial'))
      .sort();
  }

  /** The settings by which a folder of it is where users are kept. */
  settings(name: string): NodeJS.ProcessEnv {
    return { USERS_STORE: 'sqlite', USERS_DATA: this.path(name) };
  }

  /** Runs `users` on the users in a folder of it. */
  run(name: string, args: readonly string[], input?: string | Buffer) {
    return this.#command.run(args, { env: this.settings(name), ...(input !== undefined && { input }) });
  }

  /** Runs it with other settings. */
  runWith(env: NodeJS.ProcessEnv, args: readonly string[]) {
    return this.#command.run(args, { env });
  }

  /** Runs it, and fails if that does not end well. */
  async ok(name: string, args: readonly string[], input?: string | Buffer) {
    const ended = await this.run(name, args, input);
    assert.equal(ended.code, 0, ended.err);
    return ended;
  }

  /** Starts the program that `users` runs, for a test that kills it. */
  start(name: string, args: readonly string[]) {
    const settings = this.settings(name);
    return new ServerProcess({ args: ['functions/users/data/main.ts', ...args], settings });
  }

  /** Opens the users in a folder of it for a while. */
  async with<T>(name: string, use: (store: UserStore) => Promise<T>): Promise<T> {
    mkdirSync(this.path(name), { recursive: true });
    const store = openSqliteStore({ path: this.path(name, 'users.sqlite') });
    try {
      return await use(store);
    } finally {
      await store.close();
    }
  }

  [Symbol.dispose](): void {
    this.#command[Symbol.dispose]();
    rmSync(this.folder, { recursive: true, maxRetries: 10 }); // a command that was killed may still end
  }
}

/** Signs up so many users, of all kinds. */
export async function addUsers(store: UserStore, count: number, from = 1): Promise<void> {
  for (let at = 0; at < count; at += 1_000) {
    const some = Array.from({ length: Math.min(1_000, count - at) }, (_, i) => from + at + i);
    const results = await Promise.all(some.map((userId) => store.signUp(nthUser(userId), signal)));
    for (const { outcome } of results) assert.equal(outcome, 'created');
  }
}

function nthUser(userId: number) {
  return {
    username: `User-${userId}`,
    userId,
    ...(userId % 2 === 0 && { email: `Ö${userId}@exämple.org` }),
    ...(userId % 3 === 0 && { passwordHash: someHash }),
    ...(userId % 5 !== 0 && { createdAtMs: 1_700_000_000_000 + userId }),
    ...(userId % 7 === 0 && { etag: `etag-${userId}` }),
  };
}

/** Everybody in a store, in the order of ids. */
export async function everybody(store: UserStore): Promise<Account[]> {
  const all: Account[] = [];
  for await (const accounts of store.all(signal)) all.push(...accounts);
  return all.sort((a, b) => a.userId - b.userId);
}
