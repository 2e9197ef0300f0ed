// Proves that the Node which `npm ci` brings is covered by the lockfile: it comes in packages whose hashes are there,
// no install script fetches anything, and the Node that runs this test is the one of those packages.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { pinnedNode } from '../../.ci/node/pinned.ts';
import project from '../../package.json' with { type: 'json' };

/** An entry of package-lock.json, as far as it is read here. */
interface Locked {
  readonly version: string;
  readonly integrity?: string;
  /** It comes within the package around it, and is covered by that one's hash. */
  readonly inBundle?: boolean;
  readonly hasInstallScript?: boolean;
  readonly os?: string | string[];
  readonly cpu?: string | string[];
  readonly bin?: Readonly<Record<string, string>>;
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const locked = (path: string): Readonly<Record<string, Locked>> =>
  JSON.parse(readFileSync(join(root, path), 'utf8')).packages;
const lockfile = locked('package-lock.json');
const packageOf = (name: string) => lockfile[`node_modules/${name}`] ?? assert.fail(`${name} is not locked`);
const thisPlatform = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;

describe('the pinned Node', () => {
  for (const name of pinnedNode.packages) {
    it(`${name}: the lockfile has its hash, and npm runs nothing to install it`, () => {
      const { version, integrity, hasInstallScript, os, cpu, bin } = packageOf(name);
      assert.equal(version, pinnedNode.version);
      assert.match(integrity ?? '', /^sha512-[\w+/]{86}==$/);
      assert.equal(hasInstallScript, undefined);
      const [, platform, arch] = name.split('-');
      assert.deepEqual([os, cpu].flat(), [platform === 'win' ? 'win32' : platform, arch]);
      assert.match(bin?.node ?? '', /^bin\/node(\.exe)?$/);
    });
  }

  it('is the one that runs the tests, where npm has it', () => {
    if (!pinnedNode.packages.includes(thisPlatform)) {
      execFileSync(process.execPath, [join(root, '.ci/node/installed.cjs')]); // the machine's own: new enough
      return;
    }
    assert.equal(process.versions.node, pinnedNode.version);
    // What npm has written of the packages it unpacked, having compared their hashes.
    const nodeModules = realpathSync(join(root, 'node_modules'));
    const { packages: unpacked } = JSON.parse(readFileSync(join(nodeModules, '.package-lock.json'), 'utf8'));
    const { integrity } = unpacked[`node_modules/${thisPlatform}`];
    assert.equal(integrity, packageOf(thisPlatform).integrity);
    assert.equal(dirname(dirname(realpathSync(process.execPath))), join(nodeModules, thisPlatform));
  });

  it('is what npm links as `node`: no other package claims that name', () => {
    const claiming = Object.keys(lockfile).filter((path) => lockfile[path]?.bin?.node !== undefined);
    assert.deepEqual(
      claiming,
      pinnedNode.packages.map((name) => `node_modules/${name}`),
    );
  });
});

it('no dependency runs an install script, and every one has a hash', () => {
  const { allowScripts } = project;
  assert.deepEqual([...new Set(Object.values(allowScripts))], [false]);
  for (const [path, { integrity, inBundle, hasInstallScript }] of Object.entries(lockfile)) {
    if (path === '') continue;
    assert.ok(integrity || inBundle, `${path} has no hash`);
    const name = path.replace(/^.*node_modules\//, '');
    if (hasInstallScript) assert.ok(name in allowScripts, `${name} has an install script`);
  }
});
