import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { type Client, createClient } from '@connectrpc/connect';
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node';
import { Users } from '../../proto/gen/users_pb.js';
import type { ServerProcess } from '../support/process.ts';
import { assertKept, type Kept, newTallies, tallyText } from './kept.ts';
import { assertTaken, isInterruption, People } from './people.ts';

export const callers = 32;

/** At most so many steps until a kill. */
const mostPerRound = 120;

/**
 * What a kill interrupts may have a password: all of that may wait at once when a server begins. A store that a busy
 * machine makes slow is asked all the same: what is refused for that is no crash.
 */
export const crashSettings = {
  STORE_SLOW_AFTER_MS: '0',
  MAX_QUEUED_HASHES: String(4 * callers),
  MAX_QUEUED_HASHES_PER_CLIENT: String(4 * callers),
};

/** Where a server is killed. */
export interface CrashSetting {
  readonly rounds: number;
  /** Starts a server on what the one before has left. */
  readonly start: () => ServerProcess;
  /** Holds everything up until the server writes to its disk, or for a while. Default: nobody can tell. */
  readonly untilItWrites?: () => void;
  /** Reads all that is stored, while no server runs. */
  readonly read: () => Kept | Promise<Kept>;
}

/**
 * Kills servers, one after the other, while people sign up, change, log in and leave, and fails unless all is kept
 * after each. In the end all that was interrupted is repeated.
 *
 * @returns what happened, in a line
 */
export async function survivesKills({ rounds, start, untilItWrites, read }: CrashSetting): Promise<string> {
  const people = new People();
  const tallies = newTallies();
  for (let round = 1; round <= rounds; round += 1) {
    await using server = start();
    await crashUnderLoad(server, people, untilItWrites);
    await assertKept(await read(), people, tallies);
  }
  {
    await using server = start();
    await withClient(await server.url(), async (client) => {
      await people.finish(client);
      await assertServed(client, people);
    });
    await server.kill();
  }
  await assertKept(await read(), people);
  for (const [kind, { interrupted }] of Object.entries(tallies)) {
    // Removals are few: a short run may meet none.
    if (kind !== 'removal') assert.ok(interrupted > 0, `the kills met no ${kind} under way`);
  }
  const done = Object.entries(people.done).map(([kind, count]) => `${count} ${kind}s`);
  return `${done.join(', ')}; ${rounds} kills interrupted ${tallyText(tallies)}`;
}

/** Lets callers take steps, first those left over from earlier rounds, and kills the server in the midst of it. */
async function crashUnderLoad(
  server: ServerProcess,
  people: People,
  untilItWrites = () => {},
): Promise<void> {
  let left = Math.floor(Math.random() * mostPerRound);
  let killing = false;
  const enough = Promise.withResolvers<void>();

  async function keepStepping(client: Client<typeof Users>): Promise<void> {
    for (;;) {
      if (left-- <= 0) enough.resolve();
      try {
        await people.step(client);
      } catch (error) {
        if (!killing || !isInterruption(error)) throw error;
        return;
      }
    }
  }

  await withClient(await server.url(), async (client) => {
    const calls = Promise.all(Array.from({ length: callers }, () => keepStepping(client)));
    await Promise.race([calls, enough.promise]);
    // Right after an answer, which may have been given too early; anywhere in its work; or in the midst of a commit.
    const moment = Math.random();
    if (moment < 1 / 3) await delay(Math.random() * 5);
    else if (moment < 2 / 3) untilItWrites();
    killing = true;
    assert.ok(await server.kill(), 'the server had ended by itself');
    await calls;
  });
}

/** Everybody is listed and found, passwords are right, and names of those who left stay taken. */
export async function assertServed(client: Client<typeof Users>, { all }: People): Promise<void> {
  const listed = new Map<number, string>();
  for (let pageToken = ''; ; ) {
    const { user, nextPageToken } = await client.listUsers({ pageSize: 1000, pageToken });
    for (const { userId, username } of user) listed.set(userId, username);
    pageToken = nextPageToken;
    if (pageToken === '') break;
  }
  const there = all.filter(({ traits }) => traits !== undefined);
  assert.equal(listed.size, there.length);
  for (const { userId, traits } of there) assert.equal(listed.get(userId), traits?.username);
  const user = there.map(({ traits }) => ({ username: traits?.username.toLowerCase() ?? '' }));
  for (let at = 0; at < user.length; at += 1000) {
    let place = at;
    for await (const { result } of client.getUsers({ user: user.slice(at, at + 1000) })) {
      assert.deepEqual([result.case, result.value?.userId], ['user', there[place++]?.userId]);
    }
  }
  for (const { userId, traits } of there.filter((it) => it.traits?.password).slice(-100)) {
    const { username, password = '' } = traits ?? {};
    const key = { key: { case: 'userId', value: userId } } as const;
    assert.equal((await client.checkPassword({ key, password })).user?.username, username);
  }
  for (const { held } of all.filter((it) => it.held).slice(-100)) {
    const { username = '', email = '' } = held ?? {};
    await assertTaken(client.createUser({ username }));
    if (email !== '') await assertTaken(client.createUser({ username: 'nobody-before', email }));
  }
}

export async function withClient(
  baseUrl: string,
  use: (client: Client<typeof Users>) => Promise<void>,
): Promise<void> {
  const sessionManager = new Http2SessionManager(baseUrl);
  try {
    await use(createClient(Users, createGrpcTransport({ baseUrl, sessionManager })));
  } finally {
    sessionManager.abort();
  }
}
