// The registry of metrics: each series counts for itself, values fall into the bucket whose bound they do not exceed,
// and neither names nor labels can be made without end.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Metrics } from '../../../functions/rpc/index.ts';
import { figureOf, histogramOf, metricOf } from './readings.ts';

const options = { description: 'test', unit: '{call}' };

test('a series is found by its labels, in whatever order', () => {
  const metrics = new Metrics();
  const calls = metrics.counter('calls', options);
  calls.of({ a: '1', b: '2' }).add(1);
  calls.of({ b: '2', a: '1' }).add(2);
  calls.of({ a: '1' }).add(4);
  assert.deepEqual(metricOf(metrics, 'calls').points, [
    { labels: { a: '1', b: '2' }, value: 3 },
    { labels: { a: '1' }, value: 4 },
  ]);
});

test('a value is in the bucket of the first bound that it does not exceed', () => {
  const metrics = new Metrics();
  const series = metrics.histogram('sizes', options, [1, 10, 100]).of({});
  for (const value of [0, 1, 1.5, 10, 100, 101, 1e9]) series.record(value);
  const [point] = histogramOf(metrics, 'sizes');
  assert.deepEqual([point?.buckets, point?.count], [[2, 2, 1, 2], 7]);
  assert.equal(point?.sum, 1e9 + 213.5);
});

test('the latest trace of a bucket is its exemplar', () => {
  const metrics = new Metrics();
  const series = metrics.histogram('sizes', options, [1]).of({});
  series.record(0.5, { traceId: 'a', spanId: 'b' });
  series.record(0.7, { traceId: 'c', spanId: 'd' });
  series.record(0.9);
  series.record(2);
  const [low, high] = histogramOf(metrics, 'sizes')[0]?.exemplars ?? [];
  assert.deepEqual([low?.value, low?.traceId, low?.spanId, high], [0.7, 'c', 'd', undefined]);
});

test('what is read when somebody collects is as it is then', () => {
  const metrics = new Metrics();
  let open = 1;
  metrics.gauge('open', options, () => open);
  metrics.counted('accepted', options, () => [{ labels: { by: 'x' }, value: open }]);
  open = 5;
  assert.deepEqual([figureOf(metrics, 'open'), figureOf(metrics, 'accepted', { by: 'x' })], [5, 5]);
  assert.equal(metricOf(metrics, 'accepted').kind, 'counter');
});

test('a name is taken once', () => {
  const metrics = new Metrics();
  metrics.counter('calls', options);
  assert.throws(() => metrics.gauge('calls', options, () => 1), /there is a metric calls already/);
});

test('beyond a thousand series all further ones are one', () => {
  const metrics = new Metrics();
  const calls = metrics.counter('calls', options);
  for (let id = 0; id < 1_500; id++) calls.of({ id: String(id) }).add(1);
  assert.equal(metricOf(metrics, 'calls').points.length, 1_001);
  assert.equal(figureOf(metrics, 'calls', { 'otel.metric.overflow': 'true' }), 500);
  calls.of({ id: '7' }).add(1);
  assert.equal(figureOf(metrics, 'calls', { id: '7' }), 2);
});
