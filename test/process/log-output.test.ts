// Proves, with real files, pipes and devices, that a log that can't be written holds up nothing and ends nothing: a
// full disk and a slow reader cost lines, which are counted and told when there is room again; only a closed pipe is
// final.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { it, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startLogging } from './logging-process.ts';

/** Numbered, so that it can be seen which are there. */
const numbered = (from: number, count: number, pad = '') =>
  Array.from({ length: count }, (_, index) => `line ${from + index}${pad}`);

/** For what hangs: no machine is that slow. */
const timeout = 60_000;

/** Waits until it is so; the test's time limit ends it. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await delay(10);
}

function openFor(t: TestContext, path: string): number {
  const fd = openSync(path, 'a');
  t.after(() => closeSync(fd));
  return fd;
}

/** The lines that are whole. */
function linesOf(text: string): string[] {
  return text.split('\n').slice(0, -1);
}

const parsed = (lines: readonly string[]): Record<string, unknown>[] => lines.map((line) => JSON.parse(line));

/** How many lines a log says that it has lost, and how many others there are. */
function count(lines: readonly Record<string, unknown>[]): { lost: number; kept: number } {
  const notices = lines.filter(({ msg }) => msg === 'lines of the log were lost');
  const lost = notices.reduce((sum, { lines: some }) => sum + Number(some), 0);
  return { lost, kept: lines.length - notices.length };
}

it('a disk that is full for a time costs the lines of that time, which are told', { timeout }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'users-log-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'log');
  const content = () => readFileSync(path, 'utf8');
  // A limit on the size of files does what a full disk does: a write stops half way, and the next ones fail.
  const launcher = ['bash', '-c', 'ulimit -f 64 && exec "$@"', 'bash'];
  const logging = await startLogging(t, { stdout: openFor(t, path), launcher });
  await logging.log(numbered(0, 1000));
  await until(() => statSync(path).size === 64 * 1024);
  await logging.log(numbered(1000, 5)); // the write is over, and what it could not write is counted
  const before = linesOf(content());

  const torn = content().slice(0, content().indexOf('\n') + 10); // there is room again, after a line without its end
  truncateSync(path, Buffer.byteLength(torn));
  await until(() => content().includes('"msg":"line 1004"}\n'));
  await logging.log(numbered(1005, 5));
  assert.equal(await logging.end(), 0);
  assert.ok(content().startsWith(`${torn}\n`));
  const after = parsed(linesOf(content().slice(torn.length + 1)));
  const { lost, kept } = count(after);
  assert.equal(before.length + lost, 1000);
  assert.equal(kept, 10);
  assert.equal(after[0]?.level, 40);
  assert.match(String(after[0]?.time), /^\d{4}-\d\d-\d\dT/);
  assert.deepEqual(
    after.slice(1).map(({ msg }) => msg),
    numbered(1000, 10),
  );
});

it('a device that is full for ever ends nothing', { timeout }, async (t) => {
  const logging = await startLogging(t, { stdout: openFor(t, '/dev/full') });
  for (let round = 0; round < 3; round++) {
    await logging.log(numbered(0, 10_000));
    await delay(300); // a try that fails
  }
  assert.equal(await logging.end(), 0);
});

it('a reader that has gone ends the log, and nothing else', { timeout }, async (t) => {
  const logging = await startLogging(t);
  assert.ok(logging.child.stdout);
  await logging.log(numbered(0, 1));
  await once(logging.child.stdout, 'data');
  logging.child.stdout.destroy();
  for (let round = 0; round < 3; round++) {
    await logging.log(numbered(0, 10_000));
    await delay(300); // a write that fails
  }
  assert.equal(await logging.end(), 0);
});

it('a reader that has stopped costs the lines beyond 8 MiB, which are told when it reads on', {
  timeout,
}, async (t) => {
  const logging = await startLogging(t);
  const { stdout } = logging.child;
  assert.ok(stdout);
  const pad = 'x'.repeat(1000);
  const total = 6000; // some 25 MB, as each text is in its line several times
  for (let from = 0; from < total; from += 100) await logging.log(numbered(from, 100, pad));
  const lines: Record<string, unknown>[] = [];
  createInterface(stdout).on('line', (line) => lines.push(JSON.parse(line)));
  const isTold = () => {
    const { lost, kept } = count(lines);
    return lost > 0 && lost + kept === total;
  };
  await until(isTold);
  const { kept } = count(lines);
  assert.ok(kept > 1000 && kept < total - 1000, `${kept} lines were kept`);
  await logging.log(numbered(total, 1));
  await until(() => lines.at(-1)?.msg === `line ${total}`);
  assert.equal(await logging.end(), 0);
});
