// Proves that a store which is slow for all makes some calls fail at once, down to few that go on asking, and none once
// it is quick again; that one which is slow for half of its calls does no harm to the others; and that a quick one has
// no limit but the most. The clock is the test's own.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Code, ConnectError } from '@connectrpc/connect';
import { LatencyLimit } from '../../../functions/rpc/index.ts';

const options = { minCalls: 20, maxCalls: 4_096, slowAfterMs: 100 };

/** Asks once a ms for so long, and counts what is refused in each second. `takesMs`: the nth call, at a time. */
async function refusedBySecond(seconds: number, takesMs: (call: number, atMs: number) => number) {
  let nowMs = 0;
  const limit = new LatencyLimit(options, () => nowMs);
  const ends = new Map<number, (() => void)[]>();
  const refused = Array.from({ length: seconds }, () => 0);
  const mostWaiting = Array.from({ length: seconds }, () => 0);
  for (let call = 0; nowMs < seconds * 1_000; nowMs += 1, call += 1) {
    for (const end of ends.get(nowMs) ?? []) end();
    ends.delete(nowMs);
    // What has ended is told so before the next call comes.
    await new Promise<void>((resolve) => setImmediate(resolve));
    const second = Math.floor(nowMs / 1_000);
    const endMs = nowMs + takesMs(call, nowMs);
    const work = () =>
      new Promise<void>((resolve) => {
        ends.set(endMs, [...(ends.get(endMs) ?? []), resolve]);
      });
    limit.run(work).catch((error) => {
      assert.ok(error instanceof ConnectError && error.code === Code.Unavailable);
      refused[second] = (refused[second] ?? 0) + 1;
    });
    mostWaiting[second] = Math.max(mostWaiting[second] ?? 0, limit.waiting);
  }
  return { refused, mostWaiting };
}

it('a store that is slow for half of the calls does no harm to the others', async () => {
  const { refused } = await refusedBySecond(8, (call) => (call % 2 === 0 ? 5 : 2_000));
  assert.deepEqual(refused, [0, 0, 0, 0, 0, 0, 0, 0]);
});

it('a store that becomes slow for all fails calls at once, until it is quick again', async () => {
  const { refused, mostWaiting } = await refusedBySecond(12, (_, atMs) =>
    atMs >= 2_000 && atMs < 7_000 ? 2_000 : 5,
  );
  assert.deepEqual(refused.slice(0, 2), [0, 0]);
  // A thousand come each second. Those that wait when it becomes slow are given up by nobody.
  assert.ok(
    refused.slice(3, 7).every((it) => it > 900),
    `${refused}`,
  );
  assert.ok(
    mostWaiting.slice(5, 8).every((it) => it <= 60),
    `${mostWaiting}`,
  );
  assert.deepEqual(refused.slice(-2), [0, 0], `${refused}`);
});

it('a store that is quick has no limit but the most', async () => {
  const limit = new LatencyLimit({ ...options, maxCalls: 3 }, () => 0);
  const gate = Promise.withResolvers<string>();
  const calls = [1, 2, 3].map(() => limit.run(() => gate.promise));
  await assert.rejects(
    limit.run(async () => ''),
    { code: Code.Unavailable },
  );
  gate.resolve('done');
  assert.deepEqual(await Promise.all(calls), ['done', 'done', 'done']);
  assert.equal(await limit.run(async () => 'again'), 'again');
});

it('work that fails frees its place', async () => {
  const limit = new LatencyLimit({ ...options, maxCalls: 1 }, () => 0);
  for (let call = 0; call < 3; call++) {
    await assert.rejects(
      limit.run(() => Promise.reject(new Error('away'))),
      /away/,
    );
  }
  assert.equal(limit.waiting, 0);
});

/** A limit whose clock is the test's, and what makes its work take a time. */
function clocked() {
  const clock = { nowMs: 0 };
  const limit = new LatencyLimit(options, () => clock.nowMs);
  /** Makes so many calls at once, which take so long; returns how many were refused. */
  const burst = async (calls: number, ms: number, signal?: AbortSignal) => {
    const end = Promise.withResolvers<void>();
    const work = () => end.promise.then(() => signal?.throwIfAborted());
    const running = Array.from({ length: calls }, () => limit.run(work, signal));
    clock.nowMs += ms;
    end.resolve();
    const outcomes = await Promise.allSettled(running);
    return outcomes.filter((it) => it.status === 'rejected' && it.reason instanceof ConnectError).length;
  };
  return { limit, clock, burst };
}

it('one slow call, or few, limit nobody', async () => {
  const { burst } = clocked();
  for (const calls of [1, 5, options.minCalls - 1]) {
    assert.equal(await burst(calls, 500), 0);
    assert.equal(await burst(1_000, 5), 0);
  }
});

it('a store that is quick again has room for all soon, though few ask meanwhile', async () => {
  const { limit, burst } = clocked();
  for (let count = 0; count < 20; count++) await burst(500, 2_000);
  assert.ok(limit.limit < 50, `${limit.limit}`);
  for (let count = 0; count < 30; count++) await burst(1, 100);
  assert.equal(await burst(1_000, 5), 0);
});

it('calls that are given up do not make a slow store look quick', async () => {
  const { limit, burst } = clocked();
  const gone = AbortSignal.abort(new Error('given up'));
  for (let count = 0; count < 20; count++) {
    await burst(400, 40, gone);
    await burst(100, 2_000);
  }
  assert.ok(limit.limit < 50, `${limit.limit}`);
});
