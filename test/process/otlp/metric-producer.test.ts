// Proves that the registry's metrics reach OpenTelemetry's SDK whole: each kind with its points, and as deltas only
// what has come since.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { JsonMetricsSerializer } from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { RegistryProducer } from '../../../functions/process/otlp/metric-producer.ts';
import { Metrics } from '../../../functions/rpc/index.ts';

const options = { description: 'of a test', unit: '{call}' };

function registry() {
  const metrics = new Metrics();
  let level = 5;
  metrics.gauge('level', options, () => level);
  return {
    metrics,
    counter: metrics.counter('count', options),
    histogram: metrics.histogram('time', { description: 'of a test', unit: 's' }, [0.1, 1]),
    setLevel: (to: number) => {
      level = to;
    },
  };
}

/** A metric in the JSON of OTLP. */
interface Sent {
  readonly name: string;
  readonly unit: string;
  readonly description: string;
  readonly sum?: Data;
  readonly gauge?: Data;
  readonly histogram?: Data;
}

interface Data {
  readonly aggregationTemporality: number;
  readonly isMonotonic?: boolean;
  readonly dataPoints: readonly {
    readonly attributes: readonly object[];
    readonly startTimeUnixNano: string;
    readonly timeUnixNano: string;
    readonly asDouble?: number;
    readonly count?: number;
    readonly sum?: number;
    readonly bucketCounts?: readonly number[];
    readonly explicitBounds?: readonly number[];
  }[];
}

async function collected(producer: RegistryProducer): Promise<Map<string, Sent>> {
  const { resourceMetrics, errors } = await producer.collect();
  assert.deepEqual(errors, []);
  const bytes = JsonMetricsSerializer.serializeRequest(resourceMetrics);
  assert.ok(bytes !== undefined);
  const metrics: Sent[] = JSON.parse(Buffer.from(bytes).toString()).resourceMetrics[0].scopeMetrics[0]
    .metrics;
  return new Map(metrics.map((it) => [it.name, it]));
}

for (const isDelta of [false, true]) {
  it(isDelta ? 'deltas' : 'what there is in all', async () => {
    const { metrics, counter, histogram, setLevel } = registry();
    const resource = resourceFromAttributes({ 'service.name': 'test' });
    const producer = new RegistryProducer(metrics, resource, { name: 'test' }, isDelta);
    // What has no value yet is left out.
    assert.deepEqual([...(await collected(producer)).keys()], ['level']);
    counter.of({ kind: 'a' }).add(2);
    for (const value of [0.05, 0.5, 3]) histogram.of({}).record(value);
    await collected(producer);
    counter.of({ kind: 'a' }).add(3);
    counter.of({ kind: 'b' }).add(1);
    histogram.of({}).record(0.5);
    setLevel(7);
    const sent = await collected(producer);
    const temporality = isDelta ? 1 : 2;

    const { sum: count, unit, description } = sent.get('count') ?? {};
    assert.equal(unit, '{call}');
    assert.equal(description, 'of a test');
    assert.equal(count?.aggregationTemporality, temporality);
    assert.equal(count?.isMonotonic, true);
    const points = count?.dataPoints ?? [];
    assert.deepEqual(
      points.map((it) => [it.attributes, it.asDouble]),
      [
        [[{ key: 'kind', value: { stringValue: 'a' } }], isDelta ? 3 : 5],
        [[{ key: 'kind', value: { stringValue: 'b' } }], 1],
      ],
    );
    for (const { startTimeUnixNano, timeUnixNano } of points) {
      assert.ok(BigInt(startTimeUnixNano) <= BigInt(timeUnixNano));
    }

    const { histogram: time } = sent.get('time') ?? {};
    assert.equal(time?.aggregationTemporality, temporality);
    const [distribution] = time?.dataPoints ?? [];
    assert.deepEqual(distribution?.explicitBounds, [0.1, 1]);
    assert.deepEqual(distribution?.bucketCounts, isDelta ? [0, 1, 0] : [1, 2, 1]);
    assert.equal(distribution?.count, isDelta ? 1 : 4);
    assert.equal(distribution?.sum, isDelta ? 0.5 : 4.05);

    const { gauge } = sent.get('level') ?? {};
    const [level] = gauge?.dataPoints ?? [];
    assert.equal(level?.asDouble, 7);
  });
}
