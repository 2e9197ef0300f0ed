// npm test: types, lint and contract, and beside them every test. npm test -- PATH...: the tests of those folders or
// files, and no more; attacks and the tests in Chromium run only so. What begins with a dash goes to Node's test
// runner, such as --test-name-pattern=drain.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, normalize } from 'node:path';

/** A program that runs beside the others. */
interface Part {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Whether what it prints is shown as it comes, or else at its end, so that parts do not mix. */
  readonly isLive?: boolean;
  readonly shell?: boolean;
}

const given = process.argv.slice(2);
const options = given.filter((it) => it.startsWith('-'));
const paths = given.filter((it) => !it.startsWith('-'));

/** The test files of a path; a path without any ends this: what was not run must not look as if it had passed. */
function filesOf(path: string): string[] {
  const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  const files = globSync(isFolder ? join(path, '**/*.test.ts') : path);
  if (files.length > 0) return files;
  console.error(`There is no test in "${path}". A part is a folder or a file, such as test/rpc.`);
  process.exit(2);
}

/** What runs side by side, and then what runs after it. */
function stages(): Part[][] {
  const files = [...new Set((paths.length > 0 ? paths : ['test']).flatMap(filesOf))].map(normalize).sort();
  const isIn = (folder: string) => (file: string) => file.startsWith(join('test', folder));
  // They take a machine to themselves, and as long as all others together: `npm run test:attacks`.
  const measured = paths.length > 0 ? files.filter(isIn('attacks')) : [];
  // They need Chromium: `npm run test:browser`.
  const browser = paths.length > 0 ? files.filter(isIn('browser')) : [];
  const withCdk = files.filter((file) => isIn('infra')(file) || isIn('docs/operating.')(file));
  // They need programs of others, or the bundle: `npm run test:telemetry`, `npm run test:function`.
  const isElsewhere = (file: string) =>
    paths.length === 0 && (isIn('telemetry')(file) || isIn('function')(file));
  const others = files.filter(
    (file) =>
      ![isIn('attacks'), isIn('browser'), isElsewhere].some((is) => is(file)) && !withCdk.includes(file),
  );
  const tests = (name: string, isLive: boolean, option: string, of: string[]): Part[] => {
    const args = ['--test', option, ...options, ...of];
    return of.length > 0 ? [{ name, command: process.execPath, args, isLive }] : [];
  };
  // npm is a .cmd on Windows, which takes a shell.
  const shell = process.platform === 'win32';
  const checks = { name: 'checks', command: 'npm', args: ['run', '--silent', 'check'], shell };
  return [
    [
      ...(paths.length === 0 ? [checks] : []),
      // Loading CDK and its checks of templates takes 5 s of CPU, so the files that do share a process.
      ...tests('tests with CDK', others.length === 0, '--test-isolation=none', withCdk),
      // Each file has a Chromium of its own.
      ...tests('tests in Chromium', true, '--test-concurrency=1', browser),
      // Tests wait for time-outs and other processes: with as many files at once as there are cores, cores idle.
      ...tests('tests', true, `--test-concurrency=${availableParallelism() + 1}`, others),
    ],
    // They measure what a quiet client notices of an attack: nothing else may take its CPU.
    tests('attacks', true, '--test-concurrency=1', measured),
  ];
}

/** Runs it to its end; false if it failed. */
async function run({ name, command, args, isLive = false, shell = false }: Part): Promise<boolean> {
  const startedAtMs = performance.now();
  const output = isLive ? 'inherit' : 'pipe';
  const child = spawn(command, args, { stdio: ['ignore', output, output], env, shell });
  const printed: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => printed.push(chunk));
  const [code, signal] = await once(child, 'close');
  process.stdout.write(Buffer.concat(printed));
  const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(0);
  endings.push(`${name}: ${code === 0 ? 'passed' : `failed (${code ?? signal})`} after ${seconds} s`);
  return code === 0;
}

const env = {
  ...process.env,
  // The tests start some 200 processes, and these compile the same files.
  NODE_COMPILE_CACHE:
    process.env.NODE_COMPILE_CACHE ?? join(import.meta.dirname, '../node_modules/.cache/compiled'),
};
const endings: string[] = [];
const passed: boolean[] = [];
for (const stage of stages()) passed.push(...(await Promise.all(stage.map(run))));
console.log(endings.join('\n'));
process.exitCode = passed.every(Boolean) ? 0 : 1;
