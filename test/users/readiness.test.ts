// Proves when the store makes the service not ready: after several failures of one kind in a row and over a time, and
// not for one, for a store with too much to do, or for calls that were given up; and that a probe that works, and
// nothing else, ends it.
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { Readiness } from '../../functions/users/readiness.ts';
import { StoreError } from '../../functions/users/store.ts';
import { callStore } from '../../functions/users/store-call.ts';
import { watchedStore } from '../../functions/users/store-watch.ts';
import { watchLeaks } from '../support/leaks.ts';
import { eventually } from '../support/patience.ts';
import { storeWith } from './serving.ts';

const broken = new StoreError('the disk is full', { retrySafe: false });
const busy = new StoreError('throttled', { retrySafe: true, isOverload: true });

/** A readiness of three failures over 3 s, whose clock and probe are the test's. */
function readinessOf(t: TestContext, probe: () => Promise<void> = async () => {}) {
  const assertNothingLeft = watchLeaks();
  const changes: string[] = [];
  const lines: string[] = [];
  let nowMs = 0;
  const write = (_fields: object, message?: string) => void lines.push(message ?? '');
  const readiness = new Readiness({
    store: { probe },
    limits: { unreadyAfterFailures: 3, unreadyAfterMs: 3_000, storeProbeIntervalMs: 1, storeTimeoutMs: 20 },
    log: { info: write, warn: write },
    now: () => nowMs,
  });
  readiness.follow((isReady, reason) => void changes.push(isReady ? 'ready' : `not ready: ${reason}`));
  t.after(async () => {
    readiness.close();
    await assertNothingLeft();
  });
  const ended = (operation: 'signUp' | 'find' | 'precheck', error: unknown, atMs: number) => {
    nowMs = atMs;
    readiness.ended(operation, 1, 1, error);
  };
  return { readiness, changes, lines, ended };
}

describe('it stays ready', () => {
  const cases: [what: string, calls: ['signUp' | 'find', unknown, number][]][] = [
    ['after one failure, however long ago', [['signUp', broken, 0]]],
    [
      'after two, over any time',
      [
        ['signUp', broken, 0],
        ['signUp', broken, 9_000],
      ],
    ],
    ['after many at once', Array.from({ length: 50 }, (_, i) => ['signUp', broken, i])],
    [
      'where one goes well in between',
      Array.from({ length: 9 }, (_, i) => ['find', i % 3 === 2 ? undefined : broken, i * 2_000]),
    ],
    [
      'where few of each kind fail',
      [0, 1, 2, 3].map((i) => [i % 2 === 0 ? 'signUp' : 'find', broken, i * 2_000]),
    ],
    ['where the store has too much to do', [0, 1, 2, 3].map((i) => ['signUp', busy, i * 2_000])],
    ['where calls are given up', [0, 1, 2, 3].map((i) => ['find', new Error('cancelled'), i * 2_000])],
  ];
  for (const [what, calls] of cases) {
    it(what, (t) => {
      const { ended, changes } = readinessOf(t);
      for (const call of calls) ended(...call);
      assert.deepEqual(changes, []);
    });
  }
});

for (const operations of [
  ['signUp', 'signUp', 'signUp'],
  ['find', 'precheck', 'find'],
] as const) {
  it(`${operations.join(', ')} in a row: not ready, until the probe works`, async (t) => {
    let probes = 0;
    const probe = async () => {
      probes += 1;
      if (probes < 4) throw broken;
    };
    const { ended, changes, lines } = readinessOf(t, probe);
    for (const [index, operation] of operations.entries()) ended(operation, broken, index * 1_500);
    assert.deepEqual(changes, ['not ready: the disk is full']);
    ended('signUp', broken, 9_000);
    assert.ok(await eventually(() => changes.length > 1));
    assert.deepEqual(changes, ['not ready: the disk is full', 'ready']);
    assert.equal(probes, 4);
    assert.deepEqual(lines, ['not ready: the store fails', 'ready: the store works again']);
    ended('signUp', broken, 20_000);
    assert.equal(changes.length, 2, 'it counts anew');
  });
}

it('who follows later is told at once that it is not ready, and of what changes then', async (t) => {
  const probe = Promise.withResolvers<void>();
  const { readiness, ended } = readinessOf(t, () => probe.promise);
  for (const atMs of [0, 1_500, 3_000]) ended('signUp', broken, atMs);
  const told: unknown[] = [];
  readiness.follow((...change) => void told.push(change));
  assert.deepEqual(told.slice(), [[false, 'the disk is full']]);
  probe.resolve();
  assert.ok(await eventually(() => told.length > 1));
  assert.deepEqual(told[1], [true]);
  readiness.follow((...change) => void told.push(change));
  assert.equal(told.length, 2, 'all is well, as everybody takes it');
});

it('a probe that hangs is given up, and asked again; the end of the process ends it', async (t) => {
  let probes = 0;
  const { readiness, ended, changes } = readinessOf(t, () => {
    probes += 1;
    return new Promise(() => {});
  });
  for (const atMs of [0, 1_500, 3_000]) ended('find', broken, atMs);
  assert.ok(await eventually(() => probes > 2));
  readiness.close();
  assert.equal(changes.length, 1);
});

it('calls that the store does not answer in time count', async (t) => {
  const { readiness, changes, ended } = readinessOf(t);
  const hanging = storeWith({
    find: (_wanted, signal) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  });
  const store = watchedStore(hanging, [readiness]);
  ended('find', broken, 0);
  ended('find', broken, 3_000);
  const options = { context: new AbortController(), limits: { storeTimeoutMs: 5 }, retrySafe: true };
  await assert.rejects(callStore((within) => store.find([], within), options));
  assert.ok(await eventually(() => changes[0] === 'not ready: the store did not answer within 5 ms'));
});
