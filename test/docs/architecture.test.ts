// Proves that docs/architecture.md is true: what it names exists, and whoever follows "Add a service" and "Add an RPC"
// word for word, in a copy of the repository, has a service that passes all checks and answers, alone and beside Users.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ServerProcess } from '../support/process.ts';
import { type Block, blocksOf, examples, matches } from './blocks.ts';
import { page } from './tables.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const shownUrl = 'http://127.0.0.1:50052';

it('names files and words of the code that exist', () => {
  const prose = page('architecture.md').replaceAll(/^```[\s\S]*?^```$/gm, '');
  const added = blocksOf('docs/architecture.md');
  const files = globSync(['functions/**/*.ts', 'infra/*.ts', 'build.ts'], { cwd: root });
  const sources = files.map((file) => readFileSync(join(root, file), 'utf8'));
  const words = new Set([...sources, ...added.map(({ text }) => text)].join('\n').match(/\w+/g));
  const isThere = (name: string) =>
    [...files, ...added.map(({ file }) => file)].some((file) => file === name || basename(file) === name) ||
    ['', 'functions/', 'functions/rpc/'].some((folder) => existsSync(join(root, folder, name)));
  for (const [, name = ''] of prose.matchAll(/`([^`\n]+)`/g)) {
    if (/^[\w./-]*(?:\/|\.ts|\.proto)$/.test(name)) assert.ok(isThere(name), name);
    else for (const word of name.match(/[A-Za-z]\w+/g) ?? []) assert.ok(words.has(word), word);
  }
});

describe('a copy of the repository', () => {
  const copy = mkdtempSync(join(tmpdir(), 'users-architecture-'));
  const blocks = blocksOf('docs/architecture.md');
  let greeter: ServerProcess | undefined;
  let url = '';

  /** Runs a command of the page in the copy, and returns what it prints. */
  async function shell(command: string, atUrl = url): Promise<string> {
    const env = { ...process.env, npm_config_loglevel: 'error' };
    const script = `{ ${command.replaceAll(shownUrl, atUrl)}; } 2>&1`;
    return (await run('bash', ['-c', script], { cwd: copy, env })).stdout;
  }

  /** The same, of a command that must fail. */
  async function failing(command: string): Promise<string> {
    const { stdout } = await shell(command).then(
      () => assert.fail(`${command} does not fail`),
      (error: { readonly stdout: string }) => error,
    );
    return stdout;
  }

  async function start(file: string): Promise<ServerProcess> {
    return new ServerProcess({ args: [file], folder: copy, settings: { USERS_STORE: 'memory' } });
  }

  before(() => {
    const left = new Set(['node_modules', '.git', 'dist', 'cdk.out', 'data']);
    for (const name of readdirSync(root).filter((it) => !left.has(it))) {
      cpSync(join(root, name), join(copy, name), { recursive: true });
    }
    symlinkSync(realpathSync(join(root, 'node_modules')), join(copy, 'node_modules'));
    // A link is no folder to .gitignore.
    writeFileSync(join(copy, '.gitignore'), 'node_modules\n', { flag: 'a' });
    commit(copy);
  });

  after(async () => {
    await greeter?.kill();
    rmSync(copy, { recursive: true });
  });

  for (const section of ['Add a service', 'Add an RPC']) {
    if (section === 'Add an RPC') it(`${section}: the service is committed`, () => commit(copy));
    for (const block of blocks.filter((it) => it.section === section)) {
      if (block.file !== '') {
        it(`${section}: ${block.file}`, () => follow(block, join(copy, block.file)));
        continue;
      }
      for (const { command, output } of examples(block)) {
        it(`${section}: ${command}`, async () => {
          const [, main] = /^PORT=50052 npx node (.+)$/.exec(command) ?? [];
          if (main === undefined) {
            // What is missing is a failure of the check.
            const printed = await (output.includes(': add ') ? failing : shell)(command);
            if (output !== '') assert.ok(matches(printed, output), printed);
            return;
          }
          await greeter?.stop();
          greeter = await start(main);
          url = await greeter.url();
        });
      }
    }
  }

  it('Add a service: it answers beside Users too', async () => {
    await using users = await start('functions/main.ts');
    const curl = blocks.flatMap(examples).find(({ command }) => command.startsWith('curl'));
    const printed = await shell(curl?.command ?? '', await users.url());
    assert.ok(matches(printed, curl?.output ?? ''), printed);
    await users.stop();
  });
});

/** Commits all that there is, so that the next changes are seen by themselves. */
function commit(folder: string): void {
  const author = ['-c', 'user.name=a', '-c', 'user.email=a@example.com'];
  execFileSync('git', ['init', '--quiet'], { cwd: folder });
  execFileSync('git', ['add', '--all'], { cwd: folder });
  execFileSync('git', [...author, 'commit', '--quiet', '--message', 'before'], { cwd: folder });
}

/** Writes the file that a block is, or changes it as a block of diff says. */
function follow({ language, text }: Block, path: string): void {
  if (language !== 'diff') {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return;
  }
  let content = readFileSync(path, 'utf8');
  for (const hunk of text.split(/^@@\n/m)) {
    const lines = hunk.trimEnd().split('\n');
    const side = (mark: string) =>
      lines
        .filter((line) => line.startsWith(mark) || line.startsWith(' '))
        .map((line) => `${line.slice(1)}\n`)
        .join('');
    assert.equal(content.split(side('-')).length, 2, `${path} must have these lines once:\n${side('-')}`);
    content = content.replace(side('-'), () => side('+'));
  }
  writeFileSync(path, content);
}
