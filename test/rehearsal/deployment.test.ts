// Proves the arithmetic of deployments: how many tasks may start and stop, when the circuit breaker opens, the steps of
// strategies that shift calls, and the weights of listener rules.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { DeployedService } from '../../rehearsal/deployed.ts';
import { failureThreshold, leaving, roomFor, settingsOf } from '../../rehearsal/deployment.ts';
import { patternOf, weightsOf } from '../../rehearsal/envoy-routes.ts';
import type { ServiceProperties } from '../../rehearsal/template.ts';

const percents = { minimumHealthyPercent: 100, maximumPercent: 200 };

describe('a rolling deployment', () => {
  it('starts as many new tasks as there is room for, and stops an old one for each that is healthy', () => {
    const room = (fresh: number, freshHealthy: number, old: number) =>
      roomFor({ desired: 2, fresh, freshHealthy, old, oldHealthy: old }, percents);
    assert.deepEqual(room(0, 0, 2), { start: 2, stop: 0 });
    assert.deepEqual(room(2, 1, 2), { start: 0, stop: 1 });
    assert.deepEqual(room(2, 2, 2), { start: 0, stop: 2 });
  });
  it('replaces old tasks that are not healthy at once', () => {
    assert.equal(roomFor({ desired: 2, fresh: 0, freshHealthy: 0, old: 2, oldHealthy: 1 }, percents).stop, 1);
  });
  it('never has too few healthy tasks, nor too many of all', () => {
    const count = fc.nat({ max: 20 });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        count,
        count,
        count,
        fc.nat({ max: 100 }),
        fc.integer({ min: 100, max: 300 }),
        (desired, fresh, freshHealthy, old, minimumHealthyPercent, maximumPercent) => {
          const counts = {
            desired,
            fresh,
            freshHealthy: Math.min(fresh, freshHealthy),
            old,
            oldHealthy: old,
          };
          const { start, stop } = roomFor(counts, { minimumHealthyPercent, maximumPercent });
          const least = Math.ceil((desired * minimumHealthyPercent) / 100);
          if (stop > 0) assert.ok(counts.freshHealthy + old - stop >= least);
          if (start > 0) assert.ok(fresh + old + start <= Math.floor((desired * maximumPercent) / 100));
        },
      ),
    );
  });
});

it('old tasks that serve nobody are stopped first', () => {
  const [good, bad] = [{ isHealthy: true }, { isHealthy: false }];
  assert.deepEqual(leaving([good, bad, good, bad], 3), [bad, bad, good]);
});

it('the circuit breaker opens at half of the tasks, three at the least, 200 at the most', () => {
  assert.deepEqual([1, 6, 7, 25, 1000].map(failureThreshold), [3, 3, 4, 13, 200]);
});

describe('settings', () => {
  const of = (DeploymentConfiguration: ServiceProperties['DeploymentConfiguration']): DeployedService => ({
    arn: '',
    name: '',
    cluster: '',
    desired: 2,
    taskDefinitionArn: '',
    taskDefinition: { ContainerDefinitions: [] },
    properties: { Cluster: '', TaskDefinition: '', DeploymentConfiguration },
  });
  it('of a rolling deployment: alarms count that are switched on, and are watched as long as ECS does', () => {
    const Alarms = { AlarmNames: ['errors'], Enable: true, Rollback: 'true' };
    const { steps, alarmNames } = settingsOf(of({ Alarms }), 4);
    assert.deepEqual([steps, alarmNames], [[{ percent: 100, bakeMinutes: 4 }], ['errors']]);
    assert.deepEqual(settingsOf(of({ Alarms: { ...Alarms, Rollback: false } }), 4).alarmNames, []);
  });
  it('of a canary: its part first, then all', () => {
    const CanaryConfiguration = { CanaryPercent: 10, CanaryBakeTimeInMinutes: '5' };
    const { steps } = settingsOf(of({ Strategy: 'CANARY', BakeTimeInMinutes: 7, CanaryConfiguration }), 4);
    assert.deepEqual(steps, [
      { percent: 10, bakeMinutes: 5 },
      { percent: 100, bakeMinutes: 7 },
    ]);
  });
  it('of a linear one: step by step', () => {
    const LinearConfiguration = { StepPercent: 40, StepBakeTimeInMinutes: 1 };
    const { steps } = settingsOf(of({ Strategy: 'LINEAR', LinearConfiguration }), 4);
    assert.deepEqual(
      steps.map((it) => it.percent),
      [40, 80, 100],
    );
  });
});

describe('a listener rule', () => {
  it('sends calls by weights, or all of them to one target group', () => {
    assert.deepEqual(weightsOf([{ Type: 'forward', TargetGroupArn: 'a' }]), new Map([['a', 100]]));
    const TargetGroups = [
      { TargetGroupArn: 'a', Weight: '90' },
      { TargetGroupArn: 'b', Weight: 10 },
    ];
    const weights = new Map([
      ['a', 90],
      ['b', 10],
    ]);
    assert.deepEqual(weightsOf([{ Type: 'forward', ForwardConfig: { TargetGroups } }]), weights);
    assert.equal(weightsOf([{ Type: 'fixed-response' }]), undefined);
  });
  it('has patterns with * and ?, and every other character is itself', () => {
    const matcher = RegExp(`^${patternOf('application/grpc+*')}$`);
    assert.ok(matcher.test('application/grpc+proto') && !matcher.test('application/grpccc'));
    assert.ok(
      RegExp(`^${patternOf('/a?.b')}$`).test('/ax.b') && !RegExp(`^${patternOf('/a?.b')}$`).test('/axxb'),
    );
  });
});
