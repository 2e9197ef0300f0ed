// Proves that docs/data.md is true: it runs the commands of its console blocks, one after the other, on the users of a
// server that has signed them up, and compares what they print; and that git ignores every file that they make where
// they are run, since these hold hashes of passwords.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { createUsersClient } from '../../client/client.ts';
import { fromHere, root, ServerProcess } from '../support/process.ts';
import { blocksOf, examples, matches } from './blocks.ts';

const run = promisify(execFile);

test('docs/data.md', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'users-data-page-'));
  const settings = { USERS_DATA: join(folder, 'data') };
  try {
    const server = new ServerProcess({ settings });
    {
      using client = createUsersClient({ endpoint: await server.url() });
      await client.createUser({
        username: 'tom',
        email: 'tom@example.com',
        password: 'correct horse battery',
      });
      await client.createUser({ username: 'ann' });
    }
    let isServed = true;
    const shown = blocksOf('docs/data.md')
      .filter(({ language }) => language === 'console')
      .flatMap(examples);
    assert.equal(shown.length, 5);
    for (const { command, output } of shown) {
      // Until here it is served, as the page says.
      if (isServed && command.includes('restore')) {
        isServed = false;
        await server.stop();
      }
      const users = `"${process.execPath}" "${join(root, 'client/users.ts')}"`;
      const { stderr } = await run('sh', ['-c', command.replace('npx users', users)], {
        cwd: folder,
        env: { ...fromHere(), ...settings },
      });
      assert.ok(matches(stderr, output), `${command}\n${stderr}`);
    }
    const made = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((it) => it.isFile())
      .map((it) => relative(folder, join(it.parentPath, it.name)));
    const ignored = execFileSync('git', ['check-ignore', '--no-index', ...made], { cwd: root });
    assert.deepEqual(ignored.toString().trim().split('\n').sort(), made.sort());
    for (const name of ['monday.sqlite', 'users.jsonl']) assert.ok(made.includes(name), name);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
