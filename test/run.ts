// npm test: types, lint and contract, then every test. npm test -- PATH...: the tests of those folders or files, and no more;
// what begins with a dash goes to Node's test runner, such as --test-name-pattern=drain.
import { spawnSync } from 'node:child_process';
import { globSync, statSync } from 'node:fs';
import { join } from 'node:path';

const given = process.argv.slice(2);
const options = given.filter((it) => it.startsWith('-'));
const paths = given.filter((it) => !it.startsWith('-'));

function run(command: string, args: readonly string[], shell = false): void {
  const { status } = spawnSync(command, args, { stdio: 'inherit', shell });
  if (status !== 0) process.exit(status ?? 1);
}

/** The test files of a path; a path without any ends this: what was not run must not look as if it had passed. */
function filesOf(path: string): string[] {
  const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  const files = globSync(isFolder ? join(path, '**/*.test.ts') : path);
  if (files.length > 0) return files;
  console.error(`There is no test in "${path}". A part is a folder or a file, such as test/rpc.`);
  process.exit(2);
}

if (paths.length === 0) run('npm', ['run', 'check'], process.platform === 'win32'); // npm is a .cmd there
const files = (paths.length > 0 ? paths : ['test']).flatMap(filesOf);
run(process.execPath, ['--test', ...options, ...files]);
