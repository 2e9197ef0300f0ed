// Proves that alarms go off, and don't, by what was measured: their metrics are replayed minute by minute through their
// arithmetic, with data that is missing and data that comes late.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Point } from '../../rehearsal/alarm.ts';
import { type Measured, replay } from './replay.ts';
import { usersTemplate } from './synthesis.ts';

const template = usersTemplate();
const canary = usersTemplate({ deployment: 'canary' });

/** The same for so many minutes. */
const minutes = (count: number, value: Point = undefined): Point[] =>
  Array.from({ length: count }, () => value);
/** How late figures come, in minutes. */
const latenesses = [1, 2, 3];

/** After how many minutes an alarm goes off, `from` those on; undefined where it does not. */
function goesOff(alarm: string, measured: Measured, late = 1, of = template, from = 0): number | undefined {
  const at = replay(of, alarm, measured, late).indexOf('ALARM', from);
  return at < 0 ? undefined : at + 1;
}

describe('RollBack', () => {
  const calls = (count: number) => ({ RequestCount: minutes(15, count) });
  const withFaults = (count: number, faults: number) => ({
    ...calls(count),
    FailedCalls: minutes(15, faults),
  });

  for (const late of latenesses) {
    it(`goes off within seven minutes of a version whose calls all fail, ${late} minutes late`, () => {
      const after = goesOff('RollBack', withFaults(600, 600), late);
      assert(after !== undefined && after <= 7, `${after}`);
    });
  }
  it('goes off for calls of gRPC that fail with HTTP 200, which the load balancer takes for good ones', () => {
    assert(goesOff('RollBack', { ...withFaults(600, 60), HTTPCode_Target_5XX_Count: minutes(15, 0) }));
  });
  it('goes off when a tenth of the calls go to a version that fails some of them', () => {
    assert(goesOff('RollBack', withFaults(10_000, 200), 1, canary));
  });
  it('goes off at few calls that all fail, by the tasks or the load balancer', () => {
    assert(goesOff('RollBack', withFaults(4, 4)));
    assert(goesOff('RollBack', { HTTPCode_ELB_503_Count: minutes(15, 4) }), 'without a task');
    assert(
      goesOff('RollBack', {
        ...calls(4),
        HTTPCode_ELB_502_Count: minutes(15, 2),
        FailedCalls: minutes(15, 1),
      }),
    );
  });
  it('does not go off for what clients can make', () => {
    const asked = ['HTTPCode_Target_5XX_Count', 'HTTPCode_Target_4XX_Count', 'HTTPCode_ELB_501_Count'];
    const measured = Object.fromEntries(asked.map((name) => [name, minutes(15, 1000)]));
    assert.equal(goesOff('RollBack', { ...calls(1000), ...measured }), undefined);
  });
  it('does not go off for a rate that many calls always have', () => {
    assert.equal(goesOff('RollBack', withFaults(100_000, 500)), undefined);
  });
  it('does not go off for few faults, whatever part of the calls they are', () => {
    assert.equal(goesOff('RollBack', withFaults(2, 2)), undefined);
  });
  it('does not go off for a task that dies', () => {
    const HTTPCode_ELB_502_Count = [...minutes(5), 40, 40, ...minutes(8)];
    assert.equal(goesOff('RollBack', { ...calls(600), HTTPCode_ELB_502_Count }), undefined);
  });
  it('does not go off when the count of calls comes later than that of faults', () => {
    // The latest minute then has faults alone.
    assert.equal(
      goesOff('RollBack', { RequestCount: [...minutes(13, 5000)], FailedCalls: minutes(15, 10) }),
      undefined,
    );
  });
  it('goes out again', () => {
    const FailedCalls = [...minutes(6, 50), ...minutes(9, 0)];
    assert.equal(replay(template, 'RollBack', { ...calls(600), FailedCalls }).at(-1), 'OK');
  });
});

describe('UnhealthyTasks', () => {
  for (const late of latenesses) {
    it(`goes off for a task that stays unhealthy, ${late} minutes late`, () => {
      const after = goesOff('UnhealthyTasks', { UnHealthyHostCount: minutes(12, 1) }, late);
      assert(after !== undefined && after <= 6, `${after}`);
    });
  }
  it('goes off when the task fails the health checks of one protocol, in a group that a canary deployment uses', () => {
    const measured = {
      'UnHealthyHostCount@GrpcAlternate': minutes(12, 1),
      'UnHealthyHostCount@HttpAlternate': minutes(12, 0),
    };
    assert(goesOff('UnhealthyTasks', measured, 1, canary));
  });
  it('does not go off for two minutes, nor for no data', () => {
    assert.equal(
      goesOff('UnhealthyTasks', { UnHealthyHostCount: [0, 0, 1, 1, ...minutes(8, 0)] }),
      undefined,
    );
    assert.equal(goesOff('UnhealthyTasks', { UnHealthyHostCount: minutes(12) }), undefined);
  });
});

describe('TooFewTasks', () => {
  // The alarm is made when the service has its tasks, so there is data before.
  const known = 6;
  for (const late of latenesses) {
    it(`goes off when one task is left, without a call, ${late} minutes late`, () => {
      const measured = { HealthyHostCount: [...minutes(10, 2), ...minutes(12, 1)] };
      const after = goesOff('TooFewTasks', measured, late, template, known);
      assert(after !== undefined && after > 10 && after <= 10 + 5 + late, `${after}`);
    });
    it(`does not go off for tasks that are there, ${late} minutes late`, () => {
      const measured = { HealthyHostCount: minutes(20, 2) };
      assert(
        replay(template, 'TooFewTasks', measured, late)
          .slice(known)
          .every((state) => state === 'OK'),
      );
    });
  }
  it('goes off without any task, of which there is no data', () => {
    const measured = { HealthyHostCount: [...minutes(10, 2), ...minutes(12)] };
    assert((goesOff('TooFewTasks', measured, 1, template, known) ?? 0) > 10);
  });
  it('goes off when tasks answer one protocol alone', () => {
    const measured = { 'HealthyHostCount@Grpc': minutes(12, 0), 'HealthyHostCount@Http': minutes(12, 2) };
    assert(goesOff('TooFewTasks', measured));
  });
  it('counts the tasks in both groups of a protocol', () => {
    const split = (name: string, value: Point) => ({ [`HealthyHostCount@${name}`]: [...minutes(20, value)] });
    const both = { ...split('GrpcAlternate', 2), ...split('HttpAlternate', 2) };
    assert.equal(replay(canary, 'TooFewTasks', both).at(-1), 'OK', 'the others have no data');
  });
  it('waits while a lost task is replaced', () => {
    const measured = { HealthyHostCount: [...minutes(10, 2), ...minutes(3, 1), ...minutes(8, 2)] };
    assert(
      replay(template, 'TooFewTasks', measured)
        .slice(known)
        .every((state) => state === 'OK'),
    );
  });
});

describe('the others', () => {
  const quarter = minutes(30, 1);
  const cases: readonly [alarm: string, name: string, measured: Measured, is: boolean][] = [
    [
      'ServerErrors',
      'the load balancer fails requests',
      { HTTPCode_ELB_504_Count: quarter.map(() => 2) },
      true,
    ],
    [
      'ServerErrors',
      'one bad minute',
      { HTTPCode_ELB_502_Count: [...minutes(7), 50, ...minutes(22)] },
      false,
    ],
    ['FailedCalls', 'calls fail', { FailedCalls: quarter.map(() => 2) }, true],
    ['FailedCalls', 'none does', { FailedCalls: quarter.map(() => 0) }, false],
    ['ThrottledTable', 'writes are throttled', { WriteThrottleEvents: quarter }, true],
    ['ThrottledTable', 'one minute', { ReadThrottleEvents: [...minutes(7), 50, ...minutes(22)] }, false],
    ['SlowCalls', 'calls are slow', { TargetResponseTime: quarter.map(() => 3) }, true],
    ['SlowCalls', 'nobody calls', { TargetResponseTime: minutes(30) }, false],
    ['BusyCpu', 'tasks are busy', { CPUUtilization: quarter.map(() => 95) }, true],
  ];
  for (const [alarm, name, measured, is] of cases) {
    it(`${alarm} ${is ? 'goes off' : 'does not go off'}: ${name}`, () => {
      for (const late of latenesses)
        assert.equal(goesOff(alarm, measured, late) !== undefined, is, `${late} late`);
    });
  }
});
