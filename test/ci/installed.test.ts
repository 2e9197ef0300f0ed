// Proves what happens at the end of `npm ci`, or with `ignore-scripts` before the first script: a Node that npm has
// unpacked and not linked (npm 10) is linked, and where npm has none, an old Node of the machine's own ends it with one
// line.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('../../.ci/node/installed.cjs', import.meta.url));
const platform = process.platform === 'win32' ? 'win' : process.platform;
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'users-installed-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Runs the script in the folder, as a Node of that version. */
function run(version = process.versions.node) {
  const disguise = join(folder, 'disguise.cjs');
  writeFileSync(
    disguise,
    `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } });
     Object.defineProperty(process, 'version', { value: 'v${version}' });`,
  );
  return spawnSync(process.execPath, ['--require', disguise, script], { cwd: folder, encoding: 'utf8' });
}

it('links the Node that npm unpacked, once', () => {
  const bin = join(folder, 'node_modules', `node-${platform}-${process.arch}`, 'bin');
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, 'node'), 'the pinned one');
  for (const _ of ['at first', 'again']) {
    const { status, stderr } = run('20.20.2');
    assert.deepEqual([status, stderr], [0, '']);
  }
  const link = join(folder, 'node_modules/.bin', platform === 'win' ? 'node.cmd' : 'node');
  assert.match(readFileSync(link, 'utf8'), platform === 'win' ? /bin\\node\.exe" %\*/ : /^the pinned one$/);
});

it('leaves a link that is there already, also while what it leads to is still being unpacked', () => {
  if (platform === 'win') return;
  mkdirSync(join(folder, 'node_modules', `node-${platform}-${process.arch}`), { recursive: true });
  mkdirSync(join(folder, 'node_modules/.bin'));
  symlinkSync('nowhere', join(folder, 'node_modules/.bin/node'));
  const { status, stderr } = run('20.20.2');
  assert.deepEqual([status, stderr], [0, '']);
});

for (const version of ['20.20.2', '22.22.0', '24.1.0']) {
  it(`says in one line that Node ${version} is too old, where npm has none`, () => {
    const { status, stderr } = run(version);
    assert.equal(status, 1);
    assert.match(stderr, /^This needs Node 24\.2 or later, and npm brings none for [\w-]+: .+\n$/);
    assert.ok(stderr.includes(`(This is v${version}.)`), stderr);
  });
}

it('is content with a Node of the machine that is new enough', () => {
  for (const version of ['24.2.0', '26.0.0']) assert.equal(run(version).status, 0, version);
});

it('comes before the scripts with which people begin: `ignore-scripts` keeps npm from running it by itself', () => {
  const { scripts } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  for (const name of ['dev', 'start', 'build', 'test']) {
    // `exec` looks for the Node anew: one that a shell has found before it would stay the old one.
    assert.match(scripts[name], /^node \.ci\/node\/installed\.cjs && exec node /, name);
  }
});
