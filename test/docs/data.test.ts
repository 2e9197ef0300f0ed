// Proves that docs/data.md is true: it runs the commands of its console blocks, one after the other, on the users of a
// server that has signed them up, and compares what they print.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
  } finally {
    rmSync(folder, { recursive: true });
  }
});
