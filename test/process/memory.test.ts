// Proves that the flags of the image make a heap that suits the memory of its container, in real cgroups where this
// machine lets one be made, that the service knows it, and that a full heap is V8's to end, with words, and never the
// kernel's, without; and that V8 has one thread beside the program.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { heldMemoryWithin, memoryLimitBytes } from '../../functions/process/memory.ts';
import { rpcLimits } from '../../functions/rpc/index.ts';
import { type MemoryCgroup, memoryCgroup } from '../support/memory-cgroup.ts';

const MiB = 1024 * 1024;

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const dockerfile = read('functions/users/Dockerfile').replaceAll('\\\n', '');
const [, entrypoint = ''] = /^ENTRYPOINT (\[[^\]]+\])$/m.exec(dockerfile) ?? [];
const flags: readonly string[] = JSON.parse(entrypoint).slice(1);

/** Runs node with the flags of the image, and gives what it wrote and how it ended. */
async function run(args: readonly string[], launcher: readonly string[] = []) {
  const [command = '', ...words] = [...launcher, process.execPath, ...flags, ...args];
  const child = spawn(command, words, { stdio: ['ignore', 'pipe', 'pipe'] });
  const closed = once(child, 'close');
  const [out, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [code, signal] = await closed;
  return { out, errors, code, signal };
}

const show = `
  import { memoryLimitBytes } from './functions/process/memory.ts';
  console.log(v8.getHeapStatistics().heap_size_limit, process.constrainedMemory(), memoryLimitBytes());`;
/** The bytes of the heap's limit, of the cgroup's, and what the service makes of them. */
async function bounds(launcher?: readonly string[]): Promise<[number, number, number]> {
  const { out, errors } = await run(['--input-type=module', '--eval', show], launcher);
  const [heap = 0, constrained = 0, limit = 0] = out.split(' ').map(Number);
  assert.equal(errors, '');
  return [heap, constrained, limit];
}

/** Half is for what lives long; the young generation comes on top, a few times as large as its flag says. */
function assertHalf(heapBytes: number, memoryBytes: number): void {
  const youngBytes = heapBytes - memoryBytes / 2;
  assert.ok(youngBytes > 0 && youngBytes <= 64 * MiB, `a heap of ${heapBytes} in ${memoryBytes}`);
}

/** Defines a test in a container with so much memory, which says why it is skipped where none can be made. */
function inContainer(memoryMiB: number, name: string, test: (cgroup: MemoryCgroup) => Promise<void>): void {
  it(`in a container of ${memoryMiB} MiB ${name}`, async (t) => {
    await using cgroup = memoryCgroup(memoryMiB * MiB);
    if (cgroup !== undefined) {
      await test(cgroup);
      return;
    }
    const reason = 'no cgroup can be made here: it takes root on Linux, or a delegated one';
    assert.notEqual(process.env.REQUIRE_CGROUP, '1', reason);
    t.skip(reason);
  });
}

it('without a container, the heap is half of the machine, and the young generation', async () => {
  const [heap, constrained, limit] = await bounds();
  const memory = Math.min(constrained || totalmem(), totalmem());
  assertHalf(heap, memory);
  assert.equal(limit, Math.min(heap, memory));
});

for (const memoryMiB of [256, 512, 1024, 2048]) {
  inContainer(memoryMiB, 'the heap is half of it, and the young generation', async ({ launcher }) => {
    const [heap, constrained, limit] = await bounds(launcher);
    assert.equal(constrained, memoryMiB * MiB);
    assertHalf(heap, constrained);
    assert.equal(limit, heap);
  });
}

inContainer(512, 'the heap is full before the container is', async (cgroup) => {
  const { errors, signal } = await run(['test/process/full-heap.ts'], cgroup.launcher);
  assert.match(errors, /JavaScript heap out of memory/);
  assert.equal(signal, 'SIGABRT');
  assert.equal(cgroup.oomKills(), 0);
});

/** Names of threads are Linux's: `comm` in https://man7.org/linux/man-pages/man5/proc_pid_task.5.html */
const hasNames = process.platform === 'linux';

it('V8 has one thread beside the program, so that it can take no more than half of a core', {
  skip: !hasNames,
}, async () => {
  const list = `
    import { readdirSync, readFileSync } from 'node:fs';
    const tasks = '/proc/self/task/';
    console.log(readdirSync(tasks).map((id) => readFileSync(tasks + id + '/comm', 'utf8').trim()).join(' '));`;
  const { out } = await run(['--input-type=module', '--eval', list]);
  assert.deepEqual(
    out
      .trim()
      .split(' ')
      .filter((name) => name === 'V8Worker'),
    ['V8Worker'],
    out,
  );
});

it('`npm start` makes the same heap as the image', () => {
  const { scripts } = JSON.parse(read('package.json'));
  assert.ok(scripts.start.endsWith(` node ${flags.join(' ')} functions/main.ts`), scripts.start);
});

describe('the memory that a process may take is', () => {
  const bounds = { constrainedBytes: 512, totalBytes: 1024, heapLimitBytes: 256, workers: 1 };
  const cases: [string, Partial<typeof bounds>, number][] = [
    ['the limit of the heap', {}, 256],
    ['the limit of the container, when the heap may grow beyond it', { heapLimitBytes: 700 }, 512],
    ['its part of the container, of several workers', { heapLimitBytes: 700, workers: 4 }, 128],
    ['that of the machine, without a container', { constrainedBytes: 0, heapLimitBytes: 4096 }, 1024],
    [
      'that of the machine, when the container may have more',
      { constrainedBytes: 2 ** 64, heapLimitBytes: 4096 },
      1024,
    ],
  ];
  for (const [what, changed, expected] of cases) {
    it(what, () => assert.equal(memoryLimitBytes({ ...bounds, ...changed }), expected));
  }
});

describe('what calls may hold', () => {
  it('is the default where there is memory for it', () => {
    const { maxHeldBytes, maxHeldBytesPerClient, maxHeldBytesPerConnection } = rpcLimits;
    const expected = { maxHeldBytes, maxHeldBytesPerClient, maxHeldBytesPerConnection };
    assert.deepEqual(heldMemoryWithin(4 * maxHeldBytes, rpcLimits), expected);
    assert.deepEqual(heldMemoryWithin(1024 * MiB, rpcLimits), expected);
  });

  it('is a quarter of the memory where that is less, and the shares of it stay what they are', () => {
    assert.deepEqual(heldMemoryWithin(128 * MiB, rpcLimits), {
      maxHeldBytes: 32 * MiB,
      maxHeldBytesPerClient: 16 * MiB,
      maxHeldBytesPerConnection: 12 * MiB,
    });
  });
});

describe('new objects', () => {
  const learn = `
    let kept = [];
    for (let round = 0; round < 40; round += 1) {
      const objects = Array.from({ length: 50_000 }, (_, at) => ({ at, list: [at, at + 1], more: { at } }));
      kept.push(objects);
      if (kept.length > 20) kept = [];
    }`;
  const module = JSON.stringify(new URL('../../functions/process/memory.ts', import.meta.url).href);
  for (const [title, first, isLearning] of [
    ['are put among the old ones by a V8 that has learnt to', '', true],
    ['stay among the young ones in a server', `(await import(${module})).keepNewObjectsYoung();`, false],
  ] as const) {
    it(title, async () => {
      const { out } = await run([
        '--trace-pretenuring-statistics',
        '--input-type=module',
        '--eval',
        first + learn,
      ]);
      assert.equal(out.includes('pretenuring: AllocationSite'), isLearning);
    });
  }
});
