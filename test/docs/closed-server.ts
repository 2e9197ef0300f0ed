import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { root, runMain } from '../support/process.ts';
import { blocksOf } from './blocks.ts';

const run = promisify(execFile);

/**
 * Follows the block of a page that makes a key, starts a server that knows it, and calls that with the key, a line
 * each; and calls without the key.
 */
export async function closeServer(t: TestContext, page: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'users-closed-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const block = blocksOf(page).find(
    ({ section, language }) => section === 'Who may call' && language === 'sh',
  );
  // The key is written beside nobody else's.
  const lines =
    block?.text
      .trim()
      .replaceAll(/\w+\.txt/g, (name) => join(folder, name))
      .split('\n') ?? [];
  const [make, serve, call, ...rest] = lines;
  assert.ok(make !== undefined && serve !== undefined && call !== undefined && rest.length === 0, page);
  const shell = (script: string, endpoint?: string) =>
    run('bash', ['-c', script], {
      cwd: root,
      env: { ...process.env, USERS_ENDPOINT: endpoint, npm_config_loglevel: 'error' },
    });
  // What npm is to start gets this of the environment.
  const toNpm = serve.replace(/npm (?:run dev|start)$/, `bash -c 'printf %s "$API_KEYS"'`);
  assert.notEqual(toNpm, serve);
  const { stdout: keys } = await shell(`${make}\n${toNpm}`);
  const main = runMain(t, { USERS_SAMPLES: '1', API_KEYS: keys });
  const url = await main.url();
  assert.equal((await main.line('listening')).auth, 'keys');
  assert.match((await shell(call, url)).stdout, /^alexa {2}id \d+\n$/);
  // The exit code of UNAUTHENTICATED.
  await assert.rejects(shell(call.replace(/ --token-file .*$/, ''), url), { code: 16 });
  await main.stop();
}
