// Proves that whatever needs a person has an alarm that says what it means, that the dashboard shows the same figures,
// and that failed gRPC calls are counted by the codes that the service really logs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Code, ConnectError } from '@connectrpc/connect';
import { createAccessLog } from '../../functions/rpc/call/access-log.ts';
import { resourcesOf, theOnly, usersTemplate } from './synthesis.ts';

const template = usersTemplate();
const alarms = resourcesOf(template, 'AWS::CloudWatch::Alarm');

/** The metrics, the threshold, and how many periods out of how many (of one or five minutes, or a day) it takes. */
const watched: Record<string, readonly [metrics: readonly string[], threshold: number, periods: string]> = {
  ServerErrors: [
    ['HTTPCode_ELB_502_Count', 'HTTPCode_ELB_503_Count', 'HTTPCode_ELB_504_Count', 'FailedCalls'],
    5,
    '2 of 3 × 300 s',
  ],
  FailedCalls: [['FailedCalls'], 5, '2 of 3 × 300 s'],
  UnhealthyTasks: [['UnHealthyHostCount'], 0, '3 of 3 × 60 s'],
  SlowCalls: [['TargetResponseTime', 'p99'], 1, '3 of 3 × 300 s'],
  BusyCpu: [['CPUUtilization'], 85, '3 of 3 × 300 s'],
  ThrottledTable: [['ReadThrottleEvents', 'WriteThrottleEvents'], 0, '3 of 5 × 60 s'],
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
    assert.equal(properties.TreatMissingData, 'notBreaching', name);
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
