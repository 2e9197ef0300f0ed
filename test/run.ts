// npm test: types, lint and contract, and beside them every test. npm test -- PATH...: the tests of those folders or
// files, and no more; what begins with a dash goes to Node's test runner, such as --test-name-pattern=drain.
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

/** Tests wait for time-outs and for other processes: with as many files at once as there are cores, cores idle. */
const filesAtOnce = availableParallelism() + 1;

/** Loading CDK and its checks of templates takes 5 s of CPU, so the files that do share a process. */
const usesCdk = (file: string) =>
  /^test\/(infra\/|docs\/operating\.)/.test(normalize(file).replaceAll('\\', '/'));

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

function* parts(): Generator<Part> {
  const files = [...new Set((paths.length > 0 ? paths : ['test']).flatMap(filesOf))].sort();
  const withCdk = files.filter(usesCdk);
  const others = files.filter((file) => !usesCdk(file));
  const tests = { command: process.execPath, isLive: true };
  if (paths.length === 0) {
    // npm is a .cmd on Windows, which takes a shell.
    const shell = process.platform === 'win32';
    yield { name: 'checks', command: 'npm', args: ['run', '--silent', 'check'], shell };
  }
  if (withCdk.length > 0) {
    const args = ['--test', '--test-isolation=none', ...options, ...withCdk];
    yield { ...tests, name: 'tests with CDK', args, isLive: others.length === 0 };
  }
  if (others.length > 0) {
    yield {
      ...tests,
      name: 'tests',
      args: ['--test', `--test-concurrency=${filesAtOnce}`, ...options, ...others],
    };
  }
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
const passed = await Promise.all([...parts()].map(run));
console.log(endings.join('\n'));
process.exitCode = passed.every(Boolean) ? 0 : 1;
