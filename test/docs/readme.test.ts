// Proves that README.md is true: it runs what `npm run dev` runs, compares the banner and runs its commands, then runs
// every command of the console blocks and the TypeScript block against it, and compares what they print. The Python
// block is run by `npm run test:peers`; installing, testing and deploying, which the README shows too, by `.ci/run`.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import project from '../../package.json' with { type: 'json' };
import { ServerProcess } from '../support/process.ts';
import { blocksOf, examples, matches } from './blocks.ts';
import { closeServer } from './closed-server.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const shownUrl = 'http://127.0.0.1:50051';
const elsewhere = /^npm ci|^npx cdk|outputs\.json|ca\.pem/;

describe('README.md', () => {
  const data = mkdtempSync(join(tmpdir(), 'users-readme-'));
  const blocks = blocksOf('README.md');
  let server: ServerProcess;
  let printed = '';
  let url = '';

  before(async () => {
    // Without watching: who edits a file while the tests run would have it start anew on another port.
    const args = (/exec node (.*)$/.exec(project.scripts.dev)?.[1] ?? assert.fail(project.scripts.dev)).split(
      ' ',
    );
    server = new ServerProcess({
      args: args.filter((it) => !it.startsWith('--watch')),
      settings: { ...process.env, PORT: '0', USERS_DATA: data },
    });
    await server.prints('/users/');
    printed = server.printed();
    url = /http:\/\/[\d.]+:\d+/.exec(printed)?.[0] ?? assert.fail(printed);
  });

  after(async () => {
    await server.stop();
    rmSync(data, { recursive: true });
  });

  it('shows the banner', () => {
    const [first] = blocks.flatMap(examples);
    const shown = (first?.output ?? '').replace(/…\/data/, data);
    // With a port of its own, the banner tells the CLI where to go.
    assert.ok(
      matches(printed.replaceAll(` --endpoint ${url}`, '').replaceAll(url, shownUrl), shown),
      printed,
    );
  });

  // Before the blocks: whoever follows the README has run these when they come to them.
  it('runs what the banner says to try', async () => {
    const env = { ...process.env, npm_config_loglevel: 'error' };
    const lines = printed.split('\n').filter((line) => /^ {4}(?:npx|curl) /.test(line));
    assert.equal(lines.length, 5, printed);
    for (const line of lines) await run('bash', ['-c', line], { cwd: root, env });
  });

  for (const block of blocks.filter((it) => it.language === 'console')) {
    for (const { command, output } of examples(block).filter((it) => !elsewhere.test(it.command))) {
      it(`${block.section}: ${command}`, async () => {
        const env = { ...process.env, USERS_ENDPOINT: url, npm_config_loglevel: 'error' };
        const script = `{ ${command.replaceAll(shownUrl, url)}; } 2>&1`;
        const { stdout } = await run('bash', ['-c', script], { cwd: root, env });
        assert.ok(matches(stdout, output), stdout);
      });
    }
  }

  it('closes a server, and calls it', (t) => closeServer(t, 'README.md'));

  it('runs the TypeScript block', async () => {
    const index = blocks.findIndex((it) => it.language === 'ts');
    const code = blocks[index]?.text.replaceAll(shownUrl, url) ?? assert.fail('no block');
    const { stdout } = await run(process.execPath, ['--input-type=module-typescript', '--eval', code], {
      cwd: root,
    });
    assert.equal(stdout, blocks[index + 1]?.text);
  });
});
