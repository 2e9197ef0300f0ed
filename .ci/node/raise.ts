// npm run raise:node [-- LINE]: pins the latest Node of the release line (the present one without LINE, such as 26)
// that npm has for every platform, with its hashes in package-lock.json, and checks it. `npm ci && npm test` is what
// comes next. With --dry-run it only looks, and fails when there is a later one.
import { execFileSync, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { compareVersions } from './advisories.ts';
import { pinnedNode } from './pinned.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { 'dry-run': { type: 'boolean', default: false } },
});
const { packages, version: pinned } = pinnedNode;
const check = fileURLToPath(new URL('check.ts', import.meta.url));
const line = positionals[0] ?? pinned.split('.')[0];
const npm = (...args: string[]) =>
  execFileSync('npm', args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    shell: process.platform === 'win32', // npm is a .cmd there
  });

const [first = [], ...others] = packages.map((name): string[] =>
  [JSON.parse(npm('view', name, 'versions', '--json'))].flat(),
);
const common = first.filter(
  (version) => version.startsWith(`${line}.`) && others.every((versions) => versions.includes(version)),
);
const latest = common.sort(compareVersions).at(-1);
if (latest === undefined) {
  console.error(`npm has no Node ${line} for all of ${packages.join(', ')}`);
  process.exit(1);
}
if (latest === pinned) {
  console.log(`Node ${pinned} is the latest ${line} that npm has for all of ${packages.join(', ')}`);
} else if (values['dry-run']) {
  console.error(`Node ${latest} can be had in place of ${pinned}: npm run raise:node`);
  process.exitCode = 1;
} else {
  npm('install', '--package-lock-only', '--save-optional', ...packages.map((name) => `${name}@${latest}`));
  console.log(`Node ${pinned} -> ${latest}, in package.json and package-lock.json`);
  process.exitCode = spawnSync(process.execPath, [check], { stdio: 'inherit' }).status ?? 1;
}
