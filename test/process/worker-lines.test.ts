// Proves that lines of several processes on one output stay whole, however they come in pieces and however slowly they
// are read: by chance, with real processes whose reader is slow, and when a process is killed in the middle of a line.
// A reader that is gone is told to the processes, as if they wrote to it themselves.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { PassThrough, Readable } from 'node:stream';
import { it } from 'node:test';
import fc from 'fast-check';
import { passLines } from '../../functions/process/worker-lines.ts';
import { eventually } from '../support/patience.ts';
import { fromHere } from '../support/process.ts';

/** An output that is written some turns of the event loop later. */
function collect() {
  const passed: string[] = [];
  return {
    passed,
    hasReader: true,
    pass(lines: string, done: () => void) {
      passed.push(lines);
      setImmediate(done);
    },
  };
}

const text = fc.array(fc.string({ unit: 'grapheme', maxLength: 40 }).map((it) => it.replaceAll('\n', '')));

it('whole lines come, each once and in the order of its process, whatever the pieces', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(text, { minLength: 1, maxLength: 3 }),
      fc.integer({ min: 1, max: 30 }),
      async (all, size) => {
        const output = collect();
        const marked = all.map((lines, at) => lines.map((line) => `${at} ${line}\n`));
        const streams = marked.map((lines) => {
          const bytes = Buffer.from(lines.join(''));
          const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
            bytes.subarray(index * size, (index + 1) * size),
          );
          return Readable.from(pieces, { objectMode: false });
        });
        const ends = streams.map((it) => once(it, 'end'));
        for (const it of streams) passLines(it, output);
        await Promise.all(ends);
        for (const some of output.passed) assert.ok(some.endsWith('\n'));
        const lines = output.passed.join('').split('\n').slice(0, -1);
        for (const [at, expected] of marked.entries()) {
          const own = lines.filter((line) => line.startsWith(`${at} `)).map((line) => `${line}\n`);
          assert.deepEqual(own, expected);
        }
      },
    ),
  );
});

it('nothing is read while nothing can be written', async () => {
  const output = { hasReader: true, pass: () => {} };
  const from = new PassThrough();
  passLines(from, output);
  from.write('a line\n');
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(from.isPaused());
});

it('half a line, left by a process that was killed, is a line of its own', async () => {
  const output = collect();
  passLines(Readable.from([Buffer.from('one\ntw')], { objectMode: false }), output);
  assert.ok(await eventually(() => output.passed.length === 2));
  assert.deepEqual(output.passed, ['one\n', 'tw\n']);
});

it('a process whose reader is gone is told', async () => {
  const from = new PassThrough();
  const closed = once(from, 'close');
  passLines(from, { hasReader: false, pass: (_lines, done) => done() });
  from.write('a line\n');
  await closed;
});

it('lines of real processes, longer than a pipe takes at once, stay whole with a slow reader', async (t) => {
  const folder = `${import.meta.dirname}/../../functions/process`;
  const count = 2_000;
  // Lines of up to 20 kB; a pipe takes 4 KiB at once.
  const worker = `
    let text = '';
    for (let at = 0; at < ${count}; at += 1) {
      text += JSON.stringify({ worker: process.argv[1], at, pad: 'x'.repeat((at * 7919) % 20_000) }) + '\\n';
    }
    process.stdout.write(text);`;
  const first = `
    import { spawn } from 'node:child_process';
    import { LogOutput } from ${JSON.stringify(`${folder}/log-output.ts`)};
    import { passLines } from ${JSON.stringify(`${folder}/worker-lines.ts`)};
    const output = new LogOutput({ format: (line) => line, isImmediate: false });
    for (const name of ['a', 'b', 'c']) {
      const child = spawn(process.execPath, ['-e', ${JSON.stringify(worker)}, name], { stdio: ['ignore', 'pipe', 'inherit'] });
      passLines(child.stdout, output);
    }`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', first], {
    env: fromHere(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  const next = new Map([...'abc'].map((name) => [name, 0]));
  let lines = 0;
  for await (const line of createInterface(child.stdout)) {
    const { worker: name, at, pad } = JSON.parse(line);
    assert.equal(next.get(name), at);
    assert.equal(pad.length, (at * 7919) % 20_000);
    next.set(name, at + 1);
    lines += 1;
    // A slow reader.
    if (lines % 500 === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.deepEqual([...next.values()], [count, count, count]);
});
