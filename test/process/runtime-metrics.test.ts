// Node and its process are watched: the delay of the event loop, whoever reads, garbage collection by type,
// memory, CPU, and what was built. Nothing of it keeps a process alive, and nothing runs on once it is closed.
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { buildInfo } from '../../functions/process/build-info.ts';
import { watchRuntime } from '../../functions/process/runtime-metrics.ts';
import { Metrics } from '../../functions/rpc/index.ts';
import { countOf, figureOf, metricOf } from '../rpc/telemetry/readings.ts';
import { eventually } from '../support/patience.ts';

function watch(t: TestContext) {
  const metrics = new Metrics();
  const watching = watchRuntime(metrics, { 'service.name': 'users', ...buildInfo() });
  t.after(() => watching.close());
  return { metrics, watching };
}

/** All of one reading. */
function delaysOf(metrics: Metrics): { p50: number; p99: number; max: number } {
  const all = metrics.collect();
  const figure = (name: string) => {
    const metric = all.find((it) => it.name === `nodejs.eventloop.delay.${name}`);
    assert.ok(metric?.kind === 'gauge');
    return metric.points[0]?.value ?? Number.NaN;
  };
  return { p50: figure('p50'), p99: figure('p99'), max: figure('max') };
}

/** Does nothing else for a while. */
function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

describe('the metrics of the runtime', () => {
  it('tell the delay of the event loop in the last minute, to each who reads', (t) => {
    const { metrics } = watch(t);
    metrics.collect();
    // What comes late has not come yet when it is read.
    block(100);
    const delays = delaysOf(metrics);
    assert.ok(delays.max > 0.08, `${delays.max} s`);
    assert.ok(delays.p50 <= delays.p99 && delays.p99 <= delays.max);
    assert.ok(delaysOf(metrics).max >= delays.max, 'a reading takes nothing from the next one');
    const utilization = figureOf(metrics, 'nodejs.eventloop.utilization');
    assert.ok(utilization >= 0 && utilization <= 1);
  });

  it('tell collections of garbage by type', async (t) => {
    const { metrics } = watch(t);
    setFlagsFromString('--expose-gc');
    runInNewContext('gc')();
    const major = () => countOf(metrics, 'v8js.gc.duration', { 'v8js.gc.type': 'major' });
    assert.ok(await eventually(() => major() > 0));
  });

  it('tell memory, CPU and time', (t) => {
    const { metrics } = watch(t);
    const figure = (name: string) => figureOf(metrics, name);
    assert.ok(figure('process.memory.usage') > figure('v8js.memory.heap.used') / 2);
    assert.ok(figure('v8js.memory.heap.limit') > figure('v8js.memory.heap.used'));
    assert.ok(figure('v8js.memory.heap.used') > 1e6);
    const before = figure('process.cpu.time');
    block(20);
    assert.ok(figure('process.cpu.time') > before);
    assert.equal(metricOf(metrics, 'process.cpu.time').kind, 'counter');
  });

  it('tell what runs; the version of sources is that of npm, where npm has started them', (t) => {
    const before = process.env.npm_package_version;
    t.after(() => {
      if (before !== undefined) process.env.npm_package_version = before;
    });
    delete process.env.npm_package_version;
    const { metrics } = watch(t);
    const [point] = metricOf(metrics, 'target_info').points;
    process.env.npm_package_version = '9.9.9';
    assert.equal(buildInfo()['service.version'], '9.9.9');
    delete process.env.npm_package_version;
    assert.deepEqual(point, {
      labels: {
        'service.name': 'users',
        'service.version': 'unknown',
        'process.runtime.name': 'nodejs',
        'process.runtime.version': process.versions.node,
      },
      value: 1,
    });
  });

  it('end when they are closed', async (t) => {
    const { metrics, watching } = watch(t);
    watching.close();
    runInNewContext('gc')();
    await new Promise(setImmediate);
    assert.equal(countOf(metrics, 'v8js.gc.duration'), 0);
  });
});
