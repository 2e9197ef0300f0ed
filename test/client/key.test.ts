// Proves that `users key new` makes a key that a server takes by its entry, asks no server, shows the key once or
// writes it where only its owner reads it, and refuses what no server would take.
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { knownScopes } from '../../client/cli/key.ts';
import { readConfig } from '../../functions/users/config.ts';
import { scopeNames } from '../../functions/users/scopes.ts';
import { UsersCommand } from './command.ts';

// Nobody listens there.
const users = new UsersCommand('http://127.0.0.1:9');
after(() => users[Symbol.dispose]());

test('it prints the key, and the entry that the server knows it by, a line each; what to do with them is for people', async () => {
  const { out, err, code } = await users.run([
    'key',
    'new',
    'billing',
    '--scopes',
    'users.read, users.write',
  ]);
  assert.equal(code, 0, err);
  const [key = '', entry = '', ...rest] = out.split('\n');
  assert.deepEqual(rest, ['']);
  assert.match(key, /^usk_[\w-]{43}$/);
  const scopes = ['users.read', 'users.write'];
  assert.deepEqual(JSON.parse(entry), { name: 'billing', scopes, sha256: hash('sha256', key) });
  assert.match(err, /Give this key to the caller, .*\nPut this entry into the list in API_KEYS/);
  assert.ok(!err.includes(key));
  const [known] = readConfig({ API_KEYS: `[${entry}]` }).auth.keys;
  assert.deepEqual([known?.name, known?.scopes], ['billing', scopes]);
});

test("a scope that no server of this release knows is warned of; the list is the server's", async () => {
  assert.deepEqual(knownScopes, scopeNames);
  const { out, err, code } = await users.run(['key', 'new', 'x', '--scopes', 'users.reed,users.read,orders']);
  assert.equal(code, 0, 'a server with more services may know it');
  assert.deepEqual(JSON.parse(out.split('\n')[1] ?? '').scopes, ['users.reed', 'users.read', 'orders']);
  assert.match(
    err,
    /^warning: a server that does not know the scope users\.reed, orders does not start\.\n {2}Users has users\.read, .+users\.list/,
  );
  const known = await users.run(['key', 'new', 'x', '--scopes', knownScopes.join(',')]);
  assert.ok(!known.err.includes('warning'), known.err);
});

test('no two keys are the same', async () => {
  const outs = await Promise.all(['a', 'b'].map((name) => users.run(['key', 'new', name, '--scopes', '*'])));
  assert.equal(new Set(outs.map(({ out }) => out.split('\n')[0])).size, 2);
});

test('--json: one object', async () => {
  const { out, err } = await users.run(['key', 'new', 'root', '--scopes', '*', '--json']);
  const { key, entry } = JSON.parse(out);
  assert.deepEqual(entry, { name: 'root', scopes: ['*'], sha256: hash('sha256', key) });
  assert.equal(err, '');
});

test('--out: the key is in a new file of its owner, and nowhere else', async () => {
  const file = join(users.folder, 'key.txt');
  const args = ['key', 'new', 'billing', '--scopes', 'users.read', '--out', file];
  const { out, err } = await users.run(args);
  const key = readFileSync(file, 'utf8').trim();
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(JSON.parse(out).sha256, hash('sha256', key));
  assert.ok(!(out + err).includes(key));
  const again = await users.run(args);
  assert.deepEqual([again.code, again.out], [64, '']);
  assert.match(again.err, /^error: --out .*key\.txt exists already, and its entry can not be shown again/);
  assert.equal(readFileSync(file, 'utf8').trim(), key);
  const nowhere = await users.run([...args, '--json', '--out', '/no/folder/key.txt']);
  assert.match(nowhere.err, /^error: --out \/no\/folder\/key\.txt can not be written\n/);
});

for (const [args, message] of [
  [['key', 'new', 'billing'], /required option '--scopes <list>' not specified/],
  [['key', 'new', '--scopes', '*'], /missing required argument 'name'/],
  [['key', 'new', 'a b', '--scopes', '*'], /^error: a name is 1 to 128 visible characters/],
  [['key', 'new', '', '--scopes', '*'], /^error: a name is 1 to 128 visible characters/],
  [['key', 'new', 'a', '--scopes', ''], /^error: --scopes takes names such as users\.read/],
  [['key', 'new', 'a', '--scopes', 'users.read,,'], /^error: --scopes takes names such as users\.read/],
  [['key'], /Usage: users key/],
] as [string[], RegExp][]) {
  test(`wrong usage is exit code 64: users ${args.join(' ')}`, async () => {
    const { out, err, code } = await users.run(args);
    assert.deepEqual([code, out], [64, '']);
    assert.match(err, message);
  });
}
