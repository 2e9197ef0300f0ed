// Whatever happens to shared reads, in any order (writes, cancels, answers that come late, keys that are left out,
// failures): each finds what was written before it began, and ends by its own affairs alone.
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { it, mock } from 'node:test';
import fc from 'fast-check';
import { StoreError } from '../../../functions/users/store.ts';
import { few, numbered, sharedReads, turn } from './batch-table.ts';

// Time stands still unless the test lets it pass.
mock.timers.enable({ apis: ['setTimeout'] });

/** What may happen, in any order. */
const happening = fc.oneof(
  { weight: 6, arbitrary: fc.record({ read: fc.uniqueArray(fc.nat(9), { minLength: 1, maxLength: 4 }) }) },
  { weight: 1, arbitrary: fc.record({ readMany: fc.integer({ min: 100, max: 400 }) }) },
  { weight: 4, arbitrary: fc.record({ write: fc.nat(9) }) },
  { weight: 3, arbitrary: fc.constant('turn' as const) },
  {
    weight: 5,
    arbitrary: fc.record({ answer: fc.nat(9), leaveOut: fc.array(fc.nat(9)) }),
  },
  { weight: 1, arbitrary: fc.record({ fail: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ cancel: fc.nat(99) }) },
  { weight: 1, arbitrary: fc.record({ passMs: fc.nat(100) }) },
);

/** A failure of a batch, which may end the reads of its keys alone. */
class BatchError extends Error {
  readonly keys: ReadonlySet<string>;
  constructor(keys: readonly string[]) {
    super('injected');
    this.keys = new Set(keys);
  }
}

it('a read finds what was written before it began, and ends by its own affairs alone', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(happening, { maxLength: 60, size: 'max' }), async (happenings) => {
      const { table, reads } = sharedReads({ ...few, dynamoMaxTries: 2 });
      const calls: {
        readonly controller: AbortController;
        readonly ended: Promise<void>;
        isOver: boolean;
      }[] = [];

      function begin(keys: readonly string[]): void {
        const controller = new AbortController();
        const least = new Map(keys.map((key) => [key, table.versionOf(key)]));
        const call = { controller, ended: watch(), isOver: false };
        calls.push(call);
        async function watch(): Promise<void> {
          try {
            const found = await reads.read(keys, controller.signal);
            assert.equal(found.size, keys.length);
            for (const [key, version] of least)
              assert.ok(Number(found.get(key)?.version?.N) >= version, `${key} is of before the read began`);
          } catch (error) {
            if (controller.signal.aborted) assert.equal(error, controller.signal.reason);
            else if (error instanceof BatchError) assert.ok(keys.some((key) => error.keys.has(key)));
            else if (!(error instanceof StoreError)) throw error;
          } finally {
            call.isOver = true;
          }
        }
      }
      const checkBatches = () => {
        assert.ok(table.open.length <= few.dynamoMaxSockets);
        for (const { keys } of table.open)
          assert.ok(keys.length <= 100 && new Set(keys).size === keys.length);
      };

      for (const it of happenings) {
        if (it === 'turn') await turn();
        else if ('read' in it) begin(it.read.map((key) => `k${key}`));
        else if ('readMany' in it) begin(numbered(it.readMany, 'k'));
        else if ('write' in it) table.write(`k${it.write}`);
        else if ('cancel' in it) calls[it.cancel]?.controller.abort(new Error('gone'));
        else if ('passMs' in it) mock.timers.tick(it.passMs);
        else if ('answer' in it && table.open[it.answer]) {
          const batch = table.take(it.answer);
          batch.answer(it.leaveOut.map((key) => `k${key}`).filter((key) => batch.keys.includes(key)));
        } else if ('fail' in it && table.open[it.fail]) {
          const batch = table.take(it.fail);
          batch.fail(new BatchError(batch.keys));
        }
        checkBatches();
      }
      for (let rounds = 0; calls.some(({ isOver }) => !isOver); rounds += 1) {
        assert.ok(rounds < 100, 'all end once all is answered');
        while (table.open.length > 0) table.take().answer();
        await turn();
        mock.timers.tick(1000);
        await turn();
        checkBatches();
      }
      await Promise.all(calls.map(({ ended }) => ended));
      for (const { controller } of calls) assert.deepEqual(getEventListeners(controller.signal, 'abort'), []);
      await turn();
      mock.timers.tick(1000);
      await turn();
      assert.equal(table.open.length, 0, 'nothing goes on for nobody');
    }),
    { numRuns: 300 },
  );
});
