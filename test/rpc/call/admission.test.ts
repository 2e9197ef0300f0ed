// Proves that nothing is refused while the loop can do what comes, also where it is held up for a while; that of more
// than it can do, most of what it can is answered soon; that this ends as the load does; that what a call's deadline
// does not reach is not begun; and that nothing is refused where that is off. The clock is the test's own.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Code, type ConnectError } from '@connectrpc/connect';
import fc from 'fast-check';
import { Admission } from '../../../functions/rpc/call/admission.ts';
import { rpcLimits } from '../../../functions/rpc/index.ts';
import { simulate } from './simulated-loop.ts';

const callMs = 0.02;
const refusalMs = 0.002;
const capacity = 1 / callMs;

describe('what the loop can do', () => {
  it('is never refused, whatever a call takes, though the loop is held up once', () => {
    const loads = fc.array(
      fc.record({
        durationMs: fc.integer({ min: 1, max: 400 }),
        part: fc.double({ min: 0.01, max: 0.8, noNaN: true }),
      }),
      { minLength: 1, maxLength: 5 },
    );
    const work = fc.double({ min: 0.005, max: 5, noNaN: true });
    const hold = fc.record({
      atTurn: fc.integer({ min: 0, max: 400 }),
      ms: fc.integer({ min: 0, max: 400 }),
    });
    fc.assert(
      fc.property(loads, work, hold, (some, oneMs, { atTurn, ms }) => {
        const phases = some.map(({ durationMs, part }) => ({ durationMs, callsPerMs: part / oneMs }));
        const held = (turn: number) => (turn === atTurn ? ms : 0);
        const came = simulate(phases, { callMs: oneMs, refusalMs: oneMs / 10, hold: held }, rpcLimits);
        assert.equal(came.filter((it) => it.isRefused).length, 0);
      }),
      { numRuns: 100 },
    );
  });
});

for (const factor of [1.2, 2, 3, 5]) {
  it(`of ${factor} times as much, most is answered soon of what can be done`, () => {
    const [calm, much, after] = [0.5, factor, 0.5].map((part, index) => ({
      durationMs: index === 1 ? 6_000 : 1_000,
      callsPerMs: part * capacity,
    }));
    assert.ok(calm && much && after);
    // Now and then a collection of garbage holds up a turn.
    const hold = (turn: number) => (turn % 80 === 0 ? 30 : 0);
    const came = simulate([calm, much, after], { callMs, refusalMs, hold }, rpcLimits);
    const firstRefused = came.find((it) => it.isRefused)?.atMs ?? Number.NaN;
    // What grows slowly may be a burst for longer.
    const soonMs = factor < 1.5 ? 1_500 : 100;
    assert.ok(firstRefused - 2_000 < soonMs, `seen after ${firstRefused - 2_000} ms`);
    const seenAtMs = factor < 1.5 ? 4_000 : 2_100;
    const loaded = came.filter(({ atMs }) => atMs >= seenAtMs && atMs < 8_000);
    const answered = loaded.filter((it) => !it.isRefused);
    const took = answered.map((it) => it.tookMs).sort((a, b) => a - b);
    const p99Ms = took[Math.floor(took.length * 0.99)] ?? Number.NaN;
    assert.ok(p99Ms <= 100, `p99 is ${p99Ms} ms`);
    // What refusing the others leaves, less what it takes to see what comes.
    const possible = (1 - factor * (refusalMs / callMs)) / (1 - refusalMs / callMs);
    const part = answered.filter((it) => it.tookMs <= 100).length / ((8_000 - seenAtMs) * capacity);
    assert.ok(part > 0.85 * Math.min(1, possible), `${part} of ${possible}`);
    const late = came.filter(({ atMs, isRefused }) => atMs >= 8_500 && isRefused);
    assert.equal(late.length, 0, 'refused half a second after the load');
  });
}

it('too much that pauses for a moment is refused as soon as it comes back', () => {
  const phases = [500, 3_000, 25, 500].map((durationMs, index) => ({
    durationMs,
    callsPerMs: index % 2 === 1 ? 3 * capacity : index === 0 ? 0.5 * capacity : 0.01,
  }));
  const last = phases.at(-1);
  assert.ok(last);
  last.callsPerMs = 3 * capacity;
  const came = simulate(phases, { callMs, refusalMs }, rpcLimits).filter(({ atMs }) => atMs >= 1_000 + 3_500);
  const slowest = Math.max(...came.filter((it) => !it.isRefused).map((it) => it.tookMs));
  assert.ok(slowest <= 80, `${slowest} ms`);
});

it('clients that wait for answers are not refused, though they are many, and turns are held up', () => {
  const { clock, admission, endTurn } = busyLoop();
  for (let turn = 0; turn < 200; turn++) {
    for (let call = 0; call < 4_000; call++) {
      assert.equal(admission.refusal(clock.nowMs, Number.POSITIVE_INFINITY), undefined, `turn ${turn}`);
      clock.nowMs += callMs;
      // Such a turn lasts 80 ms.
      if (call === 1_000 && turn % 10 === 5) clock.nowMs += 60;
    }
    endTurn();
  }
});

it('a burst that finds an idle loop is answered whole', () => {
  const { clock, admission, endTurn } = busyLoop(() => clock.nowMs);
  for (let call = 0; call < 10_000; call++) {
    assert.equal(admission.refusal(clock.nowMs, Number.POSITIVE_INFINITY), undefined);
    clock.nowMs += callMs;
    if (call === 10) endTurn();
  }
});

it('a client that waits for answers is never refused, however slow each is, and though turns are held up', () => {
  const oneMs = fc.double({ min: 0.01, max: 0.35, noNaN: true });
  const calls = fc.integer({ min: 1, max: 255 });
  const holds = fc.array(fc.integer({ min: 0, max: 60 }), { minLength: 50, maxLength: 50 });
  fc.assert(
    fc.property(oneMs, calls, holds, (callMs, underWay, held) => {
      const { clock, admission, endTurn } = busyLoop();
      for (const ms of held) {
        for (let call = 0; call < underWay; call++) {
          assert.equal(admission.refusal(clock.nowMs, Number.POSITIVE_INFINITY), undefined);
          clock.nowMs += callMs;
        }
        clock.nowMs += ms;
        endTurn();
      }
    }),
  );
});

describe('calls that are refused for want of memory', () => {
  /** A turn that takes in calls of 0.1 ms each, of which those after the first `kept` find no memory. */
  const turn = (calls: number, kept: number) => {
    const { clock, admission } = busyLoop();
    for (let call = 0; call < calls; call++) {
      if (call < kept) assert.equal(admission.refusal(clock.nowMs, Number.POSITIVE_INFINITY), undefined);
      else admission.refusedForMemory(clock.nowMs);
      clock.nowMs += 0.1;
    }
    return admission.refusesNext;
  };

  it('show overload, where a long turn has taken in so many', () => {
    assert.equal(turn(420, 300), true);
  });

  it('show none where it is short: then clients hold on to memory', () => {
    assert.equal(turn(380, 300), false);
  });

  it('show none where most of the turn is refused: then memory was held before it', () => {
    assert.equal(turn(2_000, 180), false);
  });

  it('show none where it has taken in few, however long it is', () => {
    const { clock, admission } = busyLoop();
    admission.refusal(clock.nowMs, Number.POSITIVE_INFINITY);
    clock.nowMs += 400;
    admission.refusedForMemory(clock.nowMs);
    assert.equal(admission.refusesNext, false);
  });
});

it('refusals say when to come again, and later the fewer are let in', () => {
  const pushback = (factor: number) => {
    const phases = [{ durationMs: 500, callsPerMs: factor * capacity }];
    const told: number[] = [];
    simulate(phases, { callMs, refusalMs, told: (error) => told.push(pushbackOf(error)) }, rpcLimits);
    const late = told.slice(-1_000);
    return late.reduce((sum, it) => sum + it, 0) / late.length;
  };
  const [some, many] = [pushback(2), pushback(6)];
  assert.ok(some >= 100 && many > 1.5 * some && many <= 1_500, `${some} ${many}`);
});

it('after too much, single calls are let in soon', () => {
  let idleMs = 0;
  const { clock, admission, endTurn } = busyLoop(() => idleMs);
  for (const ms of [10, 30, 90]) {
    for (let call = 0; call < 10 * ms; call++) {
      admission.refusal(clock.nowMs, Number.POSITIVE_INFINITY);
      clock.nowMs += 0.1;
    }
    endTurn();
  }
  assert.equal(admission.refusesNext, true);
  // One each 3 ms.
  const refused = Array.from({ length: 12 }, () => {
    idleMs += 3;
    clock.nowMs += 3;
    const error = admission.refusal(clock.nowMs, Number.POSITIVE_INFINITY);
    endTurn();
    return error !== undefined;
  });
  assert.deepEqual(refused.slice(8), [false, false, false, false], refused.join());
});

it('a call whose deadline is nearer than the loop is behind ends at once', () => {
  const { clock, admission, endTurn } = busyLoop();
  const turn = (ms: number) => {
    // Each takes 0.1 ms.
    for (let call = 0; call < 10 * ms; call++) {
      admission.refusal(clock.nowMs, Number.POSITIVE_INFINITY);
      clock.nowMs += 0.1;
    }
    endTurn();
  };
  turn(10);
  turn(30);
  turn(90);
  // The turn before took 90 ms.
  const codes = new Set(Array.from({ length: 1_000 }, () => admission.refusal(clock.nowMs, 20)?.code));
  assert.ok(codes.has(Code.DeadlineExceeded), [...codes].join());
  assert.ok(!codes.has(undefined), 'one was let in');
});

/** Admission in a loop that never waits, unless the test says so. Its clock is the test's. */
function busyLoop(idleMs: () => number = () => 0) {
  const clock = { nowMs: 1_000 };
  let done = () => {};
  const loop = {
    now: () => clock.nowMs,
    idleMs,
    atEndOfTurn(end: () => void) {
      done = end;
    },
  };
  return { clock, admission: new Admission(rpcLimits, loop), endTurn: () => done() };
}

function pushbackOf(error: ConnectError): number {
  return Number(error.metadata.get('grpc-retry-pushback-ms'));
}
