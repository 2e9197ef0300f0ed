// Proves that whatever needs a person has an alarm that says what it means, that the dashboard shows the same figures,
// that failed gRPC calls are counted by the codes that the service really logs, and that the service's own metrics are
// watched where they are sent.
import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Code, ConnectError } from '@connectrpc/connect';
import { createAccessLog } from '../../functions/rpc/call/access-log.ts';
import { refusalsOfNeed } from '../../infra/call-alarms.ts';
import { sentMetrics } from '../../infra/collector.ts';
import { resourcesOf, theOnly, usersTemplate } from './synthesis.ts';

const template = usersTemplate();
const alarms = resourcesOf(template, 'AWS::CloudWatch::Alarm');

/** The metrics, the threshold, and how many periods out of how many (of one or five minutes, or a day) it takes. */
const watched: Record<string, readonly [metrics: readonly string[], threshold: number, periods: string]> = {
  RollBack: [
    [
      'HTTPCode_ELB_502_Count',
      'HTTPCode_ELB_503_Count',
      'HTTPCode_ELB_504_Count',
      'FailedCalls',
      'RequestCount',
    ],
    1,
    '3 of 5 × 60 s',
  ],
  ServerErrors: [
    ['HTTPCode_ELB_502_Count', 'HTTPCode_ELB_503_Count', 'HTTPCode_ELB_504_Count'],
    5,
    '2 of 3 × 300 s',
  ],
  FailedCalls: [['FailedCalls'], 5, '2 of 3 × 300 s'],
  UnhealthyTasks: [['UnHealthyHostCount'], 0, '3 of 5 × 60 s'],
  TooFewTasks: [['HealthyHostCount'], 2, '5 of 5 × 60 s'],
  SlowCalls: [['TargetResponseTime', 'p99'], 1, '3 of 3 × 300 s'],
  BusyCpu: [['CPUUtilization'], 85, '3 of 3 × 300 s'],
  ThrottledTable: [
    ['ReadThrottleEvents', 'WriteThrottleEvents', 'GlobalSecondaryIndexName'],
    0,
    '3 of 5 × 60 s',
  ],
  CertificateExpiry: [['DaysToExpiry'], 30, '1 of 1 × 86400 s'],
};

test('there is an alarm for each, on its metrics, with a description of what to do', () => {
  const found = Object.fromEntries(
    alarms.map(([id, { Properties }]) => [id.replace(/^Alarms|.{8}$/g, ''), Properties]),
  );
  assert.deepEqual(Object.keys(found).sort(), Object.keys(watched).sort());
  for (const [name, [metrics, threshold, periods]] of Object.entries(watched)) {
    const properties = found[name] ?? assert.fail(name);
    const text = JSON.stringify(properties);
    for (const metric of metrics) assert(text.includes(`"${metric}"`), `${name} watches ${metric}`);
    const [, period] = /"Period":(\d+)/.exec(text) ?? [];
    const { DatapointsToAlarm, EvaluationPeriods } = properties;
    assert.equal(`${DatapointsToAlarm} of ${EvaluationPeriods} × ${period} s`, periods, name);
    assert.equal(properties.Threshold, threshold, name);
    assert.match(String(properties.AlarmDescription), /^.{40,}\.$/, name);
    const missing = name === 'TooFewTasks' ? 'breaching' : 'notBreaching';
    assert.equal(properties.TreatMissingData, missing, name);
  }
});

test('requests that the load balancer refuses set off no alarm: anybody can make them', () => {
  const text = JSON.stringify(alarms);
  for (const metric of ['HTTPCode_ELB_5XX_Count', 'HTTPCode_ELB_501_Count', 'HTTPCode_Target_5XX_Count'])
    assert(!text.includes(metric), metric);
});

test('every target group is watched, the alternates of a canary deployment too', () => {
  const canary = usersTemplate({ deployment: 'canary' });
  const groups = resourcesOf(canary, 'AWS::ElasticLoadBalancingV2::TargetGroup').map(([id]) => id);
  assert.equal(groups.length, 4);
  const unhealthy = resourcesOf(canary, 'AWS::CloudWatch::Alarm').find(([id]) => /UnhealthyTasks/.test(id));
  for (const group of groups) assert(JSON.stringify(unhealthy).includes(`"${group}"`), group);
});

test('the dashboard shows the alarms, the calls, the tasks, the table, and the latest failed calls', () => {
  const body = JSON.stringify(theOnly(template, 'AWS::CloudWatch::Dashboard').Properties.DashboardBody);
  const names = [
    ...Object.values(watched).flatMap(([metrics]) => metrics),
    'RequestCount',
    'MemoryUtilization',
    'SuccessfulRequestLatency',
  ];
  for (const name of names) assert(body.includes(name), name);
  for (const [id] of alarms) assert(body.includes(id), id);
  assert.match(body, /SOURCE/);
});

describe("where the service's own metrics are", () => {
  const alarmTopicArn = 'arn:aws:sns:us-east-1:123456789012:alarms';
  const told = usersTemplate({ telemetry: 'otlp', alarmTopicArn });
  const byMetrics = resourcesOf(told, 'AWS::CloudWatch::Alarm').filter(
    ([, { Properties }]) => Properties.EvaluationCriteria,
  );
  const dashboard = JSON.stringify(theOnly(told, 'AWS::CloudWatch::Dashboard').Properties.DashboardBody);

  /** What each alarm asks, and for how many minutes the answer has to be one. */
  const asked: Record<string, readonly [metrics: readonly string[], threshold: RegExp, minutes: number]> = {
    CallsSlowMethod: [['rpc.server.call.duration'], /^histogram_quantile\(0.99, .+"rpc.method".+ > 1$/, 15],
    CallsMissedDeadlines: [
      ['rpc.server.deadlines.missed', 'rpc.server.deadlines.given'],
      / > 0.1 and .+/,
      15,
    ],
    CallsRefusedForNeed: [['rpc.server.refusals', ...refusalsOfNeed], /"reason".+ > 0.1$/, 5],
    CallsSlowStore: [['db.client.operation.duration'], /^histogram_quantile\(0.99, .+ > 0.5$/, 15],
    CallsBusyEventLoop: [['nodejs.eventloop.delay.p99'], /^max.+ > 0.1$/, 5],
    CallsFullHeap: [['v8js.memory.heap.used', 'v8js.memory.heap.limit'], /^max.+ > 0.9$/, 10],
    CallsNotReady: [['server.ready'], /^min by \("service"\).+ < 1$/, 10],
  };

  it('has an alarm for each, that tells somebody, with a description of what to do', () => {
    const found = Object.fromEntries(
      byMetrics.map(([id, { Properties }]) => [id.replace(/^Alarms|.{8}$/g, ''), Properties]),
    );
    assert.deepEqual(Object.keys(found).sort(), Object.keys(asked).sort());
    for (const [name, [metrics, threshold, minutes]] of Object.entries(asked)) {
      const { AlarmDescription, EvaluationCriteria, AlarmActions, OKActions } = found[name] ?? {};
      const { PromQLCriteria: criteria } = JSON.parse(JSON.stringify(EvaluationCriteria));
      for (const metric of metrics) assert(criteria.Query.includes(metric), `${name} watches ${metric}`);
      assert.match(criteria.Query, threshold, name);
      assert.equal(criteria.PendingPeriod, minutes * 60, name);
      assert.match(String(AlarmDescription), /^.{40,}\.$/, name);
      assert.deepEqual([AlarmActions, OKActions], [[alarmTopicArn], [alarmTopicArn]], name);
    }
  });

  it('keeps the alarms that there are without', () => {
    const ids = resourcesOf(told, 'AWS::CloudWatch::Alarm').map(([id]) => id);
    for (const [id] of alarms) assert(ids.includes(id), id);
  });

  it('shows them: every metric that is sent for it, and the new alarms', () => {
    // Of these the dashboard shows something better: the part that is in use, or the percentile.
    const notShown = ['nodejs.eventloop.utilization', 'process.memory.usage'];
    for (const name of sentMetrics.filter((it) => !notShown.includes(it)))
      assert(dashboard.includes(name), name);
    for (const [id] of byMetrics) assert(dashboard.includes(id), id);
  });

  it('asks only for the metrics of this stack, and for none that is not sent', () => {
    const queries = dashboard + JSON.stringify(byMetrics);
    const series = [...queries.matchAll(/\{\\+"([\w.]+)\\+", ([^,}]+)/g)];
    assert(series.length > 20);
    for (const [, metric = '', first = ''] of series) {
      assert(sentMetrics.includes(metric), `${metric} is sent`);
      assert.match(first, /@resource\.service\.name\\+"=\\+"Users\\+"/);
    }
  });

  it('is the same by either way', () => {
    const adot = usersTemplate({ telemetry: 'adot', alarmTopicArn });
    const of = (template: typeof told, type: string) => resourcesOf(template, type).map(([, it]) => it);
    for (const type of ['AWS::CloudWatch::Alarm', 'AWS::CloudWatch::Dashboard'])
      assert.deepEqual(of(adot, type), of(told, type));
  });
});

test('a fault is logged with the field that the metric filter looks for, and nothing else is', async () => {
  const lines: string[] = [];
  const write = (fields: object) => lines.push(JSON.stringify(fields));
  const log = createAccessLog(
    { info: write, warn: write, error: write },
    {
      metadata: 'keys',
      maxRefusedLinesPerSecond: 10,
      knowsCallers: false,
    },
  );
  const call = {
    method: '/Users/GetUsers',
    protocol: 'grpc',
    startedAtMs: 0,
    endedAtMs: 1,
    timeoutMs: 1000,
    hasDeadline: false,
    receivedMessages: 0,
    receivedBytes: 0,
    sentMessages: 0,
    sentBytes: 0,
    trace: undefined,
    isQuiet: false,
    peer: '127.0.0.1:1',
    caller: undefined,
    requestId: '1',
    headers: {},
  };
  const storeIsGone = new ConnectError(
    'no store',
    Code.Unavailable,
    undefined,
    undefined,
    new Error('refused'),
  );
  const faults = [
    ...[Code.Internal, Code.Unknown, Code.DataLoss].map((code) => new ConnectError('a fault', code)),
    storeIsGone,
  ];
  const others = [
    undefined,
    new ConnectError('draining', Code.Unavailable),
    new ConnectError('no', Code.NotFound),
  ];
  for (const error of [...faults, ...others]) log.ended({ ...call, error }, error?.code ?? 0);
  await nextTurn(); // the lines are written when the responses are out
  assert.deepEqual(
    lines.map((line) => JSON.parse(line).fault ?? false),
    [...faults.map(() => true), ...others.map(() => false)],
  );
  const { FilterPattern } = theOnly(template, 'AWS::Logs::MetricFilter').Properties;
  assert.equal(FilterPattern, '{ $.fault IS TRUE }');
});
