import { maxSpansPerSecond } from './collector.ts';
import { monthHours, prices } from './prices.ts';
import { defaultTraceRatio } from './telemetry.ts';
import { defaultBounds, perVcpuSecond } from './worst-bill.ts';

/** What telemetry makes and sends; a test compares what can be compared with the template and a server. */
export const told = {
  /** Beside those that every deployment has. */
  alarms: 7,
  /** Memory that a task has more for a collector. */
  collectorGib: 0.5,
  /** Of private subnets, in each zone. */
  endpoints: 2,
  tasks: 2,
  zones: 2,
  /** That a task sends in a minute: 60 after a call of each kind, with each code and reason that comes up one more. */
  dataPoints: 100,
  /**
   * The most that it can send: `rpc.server.call.duration` has 1,000 series at the most, `rpc.server.refusals` 200, all
   * others together under 100, whatever clients do.
   */
  maxDataPoints: 1300,
  /** One of a histogram with 18 buckets, in protobuf, with what names the server; others are half of that. */
  dataPointBytes: 1000,
  /** A call, its gate and what it asks of the store. */
  spansPerCall: 3,
  spanBytes: 1000,
};

const dayMinutes = 24 * 60;
const daySeconds = 86_400;

type Row = readonly [what: string, calculation: string, dollars: number];

const minutes = monthHours * 60;
const number = (value: number) => value.toLocaleString('en-US');
const gigabytes = (dataPoints: number) => (dataPoints * told.dataPointBytes) / 1e9;
const { maxTasks, taskVcpu } = defaultBounds;
const worstCalls = maxTasks * taskVcpu * perVcpuSecond;

const rows: readonly Row[] = [
  [
    'Metrics, a month',
    `${told.tasks} tasks × ${told.dataPoints} data points a minute × ${number(minutes)} minutes × ${number(told.dataPointBytes)} bytes, in GB × ${prices.metricGigabyte}`,
    gigabytes(told.tasks * told.dataPoints * minutes) * prices.metricGigabyte,
  ],
  ['Alarms, a month', `${told.alarms} × ${prices.alarmMetricMonth}`, told.alarms * prices.alarmMetricMonth],
  [
    '`adot`: memory for the collector, a month',
    `${told.tasks} tasks × ${monthHours} h × ${told.collectorGib} GiB × ${prices.fargateArmGibHour}`,
    told.tasks * monthHours * told.collectorGib * prices.fargateArmGibHour,
  ],
  [
    '`otlp` in private subnets, a month',
    `${told.endpoints} endpoints × ${told.zones} zones × ${monthHours} h × ${prices.interfaceEndpointHour}`,
    told.endpoints * told.zones * monthHours * prices.interfaceEndpointHour,
  ],
  [
    '`adot`: traces of a million calls',
    `1,000,000 × ${defaultTraceRatio}, a million × ${prices.millionTraces}`,
    defaultTraceRatio * prices.millionTraces,
  ],
  [
    '`otlp`: spans of a million calls',
    `1,000,000 × ${defaultTraceRatio} × ${told.spansPerCall} spans × ${number(told.spanBytes)} bytes, in GB × ${prices.spanGigabyte}`,
    ((1e6 * defaultTraceRatio * told.spansPerCall * told.spanBytes) / 1e9) * prices.spanGigabyte,
  ],
  [
    '**At worst, a day:** metrics',
    `${maxTasks} tasks × ${number(told.maxDataPoints)} data points a minute × ${number(dayMinutes)} minutes × ${number(told.dataPointBytes)} bytes, in GB × ${prices.metricGigabyte}`,
    gigabytes(maxTasks * told.maxDataPoints * dayMinutes) * prices.metricGigabyte,
  ],
  [
    '**At worst, a day:** `adot`: traces',
    `${maxTasks} tasks × ${maxSpansPerSecond} spans a second, each a trace, × ${number(daySeconds)} s, a million × ${prices.millionTraces}`,
    ((maxTasks * maxSpansPerSecond * daySeconds) / 1e6) * prices.millionTraces,
  ],
  [
    '**At worst, a day:** `otlp`: spans',
    `${number(worstCalls)} calls a second × ${defaultTraceRatio} × ${number(daySeconds)} s × ${number(told.spanBytes)} bytes, in GB × ${prices.spanGigabyte}`,
    ((worstCalls * defaultTraceRatio * daySeconds * told.spanBytes) / 1e9) * prices.spanGigabyte,
  ],
];

/** The table of docs/costs.md on what `telemetry` adds. */
export function telemetryCosts(): string {
  return [
    '| Telemetry adds | calculation | $ |',
    '| --- | --- | ---: |',
    ...rows.map(([what, calculation, dollars]) => `| ${what} | ${calculation} | ${dollars.toFixed(2)} |`),
  ].join('\n');
}
