// Proves that alarms are evaluated on the metrics of a run, minute by minute: expressions over several metrics, data
// that comes late, and how long a deployment watches them; and what metric filters and a load balancer count.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Alarms } from '../../rehearsal/alarms.ts';
import { valuesOf } from '../../rehearsal/balancer-metrics.ts';
import { Deployed } from '../../rehearsal/deployed.ts';
import { readPattern } from '../../rehearsal/filter-pattern.ts';
import { Journal } from '../../rehearsal/journal.ts';
import { Metrics } from '../../rehearsal/metrics.ts';

const stat = (name: string) => ({
  Id: name,
  MetricStat: { Metric: { Namespace: 'N', MetricName: name }, Period: 60, Stat: 'Sum' },
  ReturnData: false,
});
const properties = {
  ComparisonOperator: 'GreaterThanThreshold',
  Threshold: 5,
  EvaluationPeriods: 3,
  DatapointsToAlarm: 2,
  TreatMissingData: 'notBreaching',
  Metrics: [{ Id: 'all', Expression: 'FILL(a, 0) + FILL(b, 0)' }, stat('a'), stat('b')],
};

/** The states of the alarm after each minute, in which so much was counted. */
function replay(minutes: readonly { a?: number; b?: number }[]): string[] {
  const metrics = new Metrics();
  const alarms = new Alarms(metrics, new Journal({ isQuiet: true }));
  alarms.configure(new Deployed('', { Alarm: { type: 'AWS::CloudWatch::Alarm', id: 'errors', properties } }));
  return minutes.map((values, minute) => {
    for (const [name, value] of Object.entries(values)) metrics.put('N', name, {}, minute, value);
    alarms.evaluate(minute);
    return alarms.all[0]?.state ?? '';
  });
}

describe('an alarm on an expression', () => {
  it('goes off a minute late, since metrics come late, and goes out again', () => {
    const states = replay([{ a: 4 }, { a: 4, b: 4 }, { b: 9 }, {}, {}, {}]);
    assert.deepEqual(states, ['OK', 'OK', 'OK', 'ALARM', 'OK', 'OK']);
  });
  it('does not go off for a single minute', () => {
    assert.ok(replay([{ a: 90 }, {}, {}, {}]).every((it) => it === 'OK'));
  });
  it('is watched as long as it needs to go off', () => {
    const alarms = new Alarms(new Metrics(), new Journal({ isQuiet: true }));
    alarms.configure(
      new Deployed('', { Alarm: { type: 'AWS::CloudWatch::Alarm', id: 'errors', properties } }),
    );
    assert.equal(alarms.bakeMinutes(['errors']), 4);
    assert.equal(alarms.bakeMinutes([]), 0);
  });
});

describe('metrics', () => {
  const metrics = new Metrics();
  for (const value of [1, 2, 3, 10]) metrics.put('N', 'm', { B: '2', A: '1' }, 7, value);
  it('are kept by their dimensions, in any order', () => {
    const of = (statistic: string) => metrics.statistic('N', 'm', { A: '1', B: '2' }, statistic, 5, 8);
    assert.deepEqual(
      ['Sum', 'Average', 'Minimum', 'Maximum', 'SampleCount', 'p50'].map(of),
      [16, 4, 1, 10, 4, 3],
    );
    assert.equal(metrics.statistic('N', 'm', {}, 'Sum', 5, 8), undefined);
    assert.equal(metrics.statistic('N', 'm', { A: '1', B: '2' }, 'Sum', 8, 9), undefined);
  });
});

describe('a metric filter', () => {
  const counts = (pattern: string, record: object) => readPattern(pattern)(JSON.stringify(record));
  it('reads fields of JSON', () => {
    assert.ok(counts('{ $.fault IS TRUE }', { fault: true }));
    assert.ok(!counts('{ $.fault IS TRUE }', { fault: 'true' }) && !counts('{ $.fault IS TRUE }', {}));
    assert.ok(counts('{ $.code = "INTERNAL" || ($.ms > 10 && $.a.b EXISTS) }', { ms: 11, a: { b: 0 } }));
    assert.ok(counts('{ $.code != "OK" }', { code: 'INTERNAL' }) && !counts('{ $.code != "OK" }', {}));
    assert.ok(counts('{ $.path = "/Users/*" }', { path: '/Users/GetUsers' }));
  });
  it('reads words, and takes no other line for JSON', () => {
    assert.ok(readPattern('error "timed out"')('an error: timed out'));
    assert.ok(!readPattern('{ $.fault IS TRUE }')('fault'));
  });
  it('is refused where a rehearsal has none such', () => {
    assert.throws(() => readPattern('{ $.a % 3 }'), /no filter pattern/);
  });
});

describe('a load balancer counts', () => {
  const names = (line: object) =>
    valuesOf(JSON.stringify(line), 'arn:x:loadbalancer/app/n/1').map((it) => it.name);
  const target = { cluster: 'targetgroup/g/1', target: '10.0.0.2:50051' };
  it('answers of targets, and how long they took', () => {
    const found = valuesOf(
      JSON.stringify({ ...target, code: 200, flags: '-', firstByteMs: 30 }),
      'arn:x:loadbalancer/app/n/1',
    );
    assert.deepEqual(found[0], { name: 'RequestCount', dimensions: { LoadBalancer: 'app/n/1' }, value: 1 });
    assert.ok(found.some((it) => it.name === 'TargetResponseTime' && it.value === 0.03));
    assert.ok(names({ ...target, code: 503, flags: '-' }).includes('HTTPCode_Target_5XX_Count'));
  });
  it('errors of its own: 503 without a target, 502 for a broken connection, 504 for silence', () => {
    assert.ok(names({ cluster: target.cluster, code: 503, flags: 'UH' }).includes('HTTPCode_ELB_503_Count'));
    assert.ok(names({ ...target, code: 200, flags: 'UC' }).includes('HTTPCode_ELB_502_Count'));
    assert.ok(names({ ...target, code: 504, flags: 'UT' }).includes('HTTPCode_ELB_504_Count'));
    assert.ok(!names({ ...target, code: 502, flags: 'UF' }).includes('HTTPCode_Target_5XX_Count'));
  });
  it('connections that targets refuse, of each target group', () => {
    const refused = names({ ...target, code: 503, flags: 'UF,URX' });
    assert.equal(refused.filter((it) => it === 'TargetConnectionErrorCount').length, 2);
    assert.ok(!names({ ...target, code: 200, flags: 'UC' }).includes('TargetConnectionErrorCount'));
  });
});
