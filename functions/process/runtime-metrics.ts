import {
  constants,
  createHistogram,
  type PerformanceEntry,
  PerformanceObserver,
  performance,
} from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { Labels, Metrics } from '../rpc/index.ts';

/**
 * How often the event loop's delay is measured, in ms. What is shorter is not seen; more often costs an idle process.
 */
const resolutionMs = 10;

/**
 * What is told of the event loop is of the last minute, whoever asks and how often: two who collect take nothing from
 * each other, and what is scraped once a minute misses nothing.
 */
const windowParts = 6;
const partMs = 10_000;

/** Of the pauses of garbage collection, in s. */
const gcBounds = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1];

const gcTypes: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MINOR]: 'minor',
  [constants.NODE_PERFORMANCE_GC_MAJOR]: 'major',
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: 'incremental',
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: 'weakcb',
};

/**
 * Shows how Node and its process fare, by the names of OpenTelemetry, and what it is (`target_info`). Whoever watches
 * must close: a measuring timer runs until then.
 *
 * @param target what the process is, such as its `service.name` and `service.version`
 * @throws Error when somebody shows the same
 */
export function watchRuntime(metrics: Metrics, target: Labels): { close(): void } {
  const gauge = (name: string, description: string, unit: string, read: () => number) =>
    metrics.gauge(name, { description, unit }, read);
  const stop = watchDelay(gauge);
  const stopUtilization = watchUtilization(gauge);
  const stopGc = watchGc(metrics);

  gauge('v8js.memory.heap.used', 'Heap in use', 'By', () => getHeapStatistics().used_heap_size);
  gauge(
    'v8js.memory.heap.limit',
    'What the heap may grow to',
    'By',
    () => getHeapStatistics().heap_size_limit,
  );
  gauge('process.memory.usage', 'Resident memory', 'By', () => process.memoryUsage.rss());
  gauge('process.uptime', 'Time since the process was started', 's', () => process.uptime());
  metrics.counted('process.cpu.time', { description: 'Time of all CPUs used', unit: 's' }, () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  metrics.gauge('target_info', { description: 'What runs here', unit: '1' }, () => [
    { labels: target, value: 1 },
  ]);
  return {
    close() {
      stop();
      stopUtilization();
      stopGc();
    },
  };
}

type Gauge = (name: string, description: string, unit: string, read: () => number) => void;

/**
 * Measures how late a timer comes. Node's own monitor forgets, when it is reset, what has been late but has not come
 * yet: a reader that waits behind a long turn of the event loop would not see it.
 */
function watchDelay(gauge: Gauge): () => void {
  const delays = Array.from({ length: windowParts }, () => createHistogram());
  let dueAtMs = performance.now() + resolutionMs;
  let ticks = 0;
  const measure = () => {
    const nowMs = performance.now();
    delays[ticks % windowParts]?.record(Math.max(1, Math.round((nowMs - dueAtMs) * 1e6)));
    dueAtMs = nowMs + resolutionMs;
  };
  const timer = setInterval(measure, resolutionMs).unref();
  const turn = setInterval(() => {
    ticks += 1;
    delays[ticks % windowParts]?.reset();
  }, partMs).unref();
  const window = () => {
    if (performance.now() > dueAtMs) measure();
    const all = createHistogram();
    for (const part of delays) if (part.count > 0) all.add(part);
    return all;
  };
  const description = 'How late the event loop came, in the last minute, to what was due';
  const percentile = (at: number) => window().percentile(at) / 1e9;
  gauge('nodejs.eventloop.delay.p50', `${description}: the median`, 's', () => percentile(50));
  gauge('nodejs.eventloop.delay.p99', `${description}: 99 of 100 are at most so late`, 's', () =>
    percentile(99),
  );
  gauge('nodejs.eventloop.delay.max', `${description}: the longest`, 's', () => window().max / 1e9);
  return () => {
    clearInterval(timer);
    clearInterval(turn);
  };
}

/** Measures the part of the time in which the event loop was busy. */
function watchUtilization(gauge: Gauge): () => void {
  const parts = [performance.eventLoopUtilization()];
  const turn = setInterval(() => {
    parts.push(performance.eventLoopUtilization());
    if (parts.length > windowParts) parts.shift();
  }, partMs).unref();
  gauge(
    'nodejs.eventloop.utilization',
    'Part of the last minute in which the event loop was busy',
    '1',
    () => {
      return performance.eventLoopUtilization(parts[0]).utilization;
    },
  );
  return () => clearInterval(turn);
}

function watchGc(metrics: Metrics): () => void {
  const durations = metrics.histogram(
    'v8js.gc.duration',
    { description: 'Pauses of garbage collection', unit: 's' },
    gcBounds,
  );
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      durations.of({ 'v8js.gc.type': gcTypeOf(entry) }).record(entry.duration / 1000);
    }
  });
  observer.observe({ entryTypes: ['gc'] });
  return () => observer.disconnect();
}

/** Node's types know entries of other kinds alone. */
function gcTypeOf(entry: PerformanceEntry): string {
  const detail: unknown = Reflect.get(entry, 'detail');
  const kind = typeof detail === 'object' && detail !== null ? Number(Reflect.get(detail, 'kind')) : 0;
  return gcTypes[kind] ?? 'other';
}
