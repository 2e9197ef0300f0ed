// Proves docs/privacy.md of a server with its files: whatever is asked of it, its log names nobody, neither by name nor
// by address or password; once a user is removed, without a hold nothing in its files is left of that user, and with
// one the name and the address, as taken, and nothing else.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { createUsersClient } from '../../client/client.ts';
import { ServerProcess } from '../support/process.ts';

const person = {
  username: 'Quixada-files',
  email: 'Quixada.Post@example.com',
  password: 'a password of Quixada',
};
const renamed = 'Quixada-renamed';
const traces = /quixada|argon2id/i;

/**
 * Has a server do everything with a person who is removed in the end. Returns its log, and what is left in its files.
 */
async function livedThrough(t: TestContext, holdMs: number): Promise<{ log: string; files: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'users-privacy-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const settings = { USERS_DATA: folder, DELETED_NAME_HOLD_MS: String(holdMs) };
  await using server = new ServerProcess({ settings });
  using users = createUsersClient({ endpoint: await server.url() });
  const key = { key: { case: 'username', value: person.username } } as const;
  const { user } = await users.createUser(person);
  assert.ok(user);
  const byId = { key: { case: 'userId', value: user.userId } } as const;
  await users.checkPassword({ key, password: person.password });
  await assert.rejects(users.checkPassword({ key, password: 'a guess at Quixada' }));
  await assert.rejects(users.createUser(person));
  await assert.rejects(users.updateUser({ key, email: 'not an address of Quixada' }));
  await users.getAccount({ key: { key: { case: 'email', value: person.email } } });
  await users.listUsers({ usernamePrefix: 'Quix' });
  await users.updateUser({ key, username: renamed });
  await fetch(`${await server.url()}/users/?username=${renamed}`);
  await users.deleteUser({ key: byId });
  await server.stop();
  const files = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'latin1'));
  return { log: server.printed(), files: files.join('\n') };
}

it('without a hold, nothing is left', async (t) => {
  const { log, files } = await livedThrough(t, 0);
  assert.ok(log.split('\n').length > 10, log);
  assert.doesNotMatch(log, traces);
  assert.doesNotMatch(files, traces);
});

it('with a hold, name and address are left as taken, and no more', async (t) => {
  const { log, files } = await livedThrough(t, 60_000);
  assert.doesNotMatch(log, traces);
  assert.ok(files.includes(renamed.toLowerCase()) && files.includes(person.email.toLowerCase()));
  for (const held of [renamed, person.email]) assert.ok(!files.includes(held), `as written: ${held}`);
  assert.doesNotMatch(files, /argon2id|-files/i);
});
