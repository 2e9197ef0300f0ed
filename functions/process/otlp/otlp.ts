import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import {
  MetricsExporterMetricsHelper,
  ProtobufMetricsSerializer,
  ProtobufTraceSerializer,
  TraceExporterMetricsHelper,
} from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import type { CallObserver, Log, Metrics, TracingOptions } from '../../rpc/index.ts';
import { buildInfo } from '../build-info.ts';
import { ExportLog } from './export-log.ts';
import { openExporter } from './exporter.ts';
import { RegistryProducer } from './metric-producer.ts';
import type { OtlpConfig } from './settings.ts';
import { SpanQueue } from './span-queue.ts';
import type { Telemetry, TelemetryLimits } from './telemetry.ts';
import { WallClock } from './wall-clock.ts';

/** A process that ends waits so long for a collector to take what is left. */
const closeTimeoutMs = 3_000;
/** No export of metrics takes longer; nor may it take longer than the time between two. */
const maxMetricExportMs = 30_000;

const scope = { name: 'users-service' };

/** Makes what sends traces and metrics. Nothing is sent yet, and nothing is waited for. */
export async function openOtlp(
  tracing: TracingOptions,
  { traces, metrics: pushed, resource: described }: OtlpConfig,
  limits: TelemetryLimits,
  metrics: Metrics,
  log: Pick<Log, 'info' | 'warn'>,
): Promise<Telemetry> {
  const resource = resourceFromAttributes({
    'service.instance.id': randomUUID(),
    'host.name': hostname(),
    'process.pid': process.pid,
    ...buildInfo(),
    'telemetry.sdk.name': 'opentelemetry',
    'telemetry.sdk.language': 'nodejs',
    ...described,
  });
  const observers: CallObserver[] = [];
  const endings: (() => Promise<void>)[] = [];
  if (traces !== undefined) {
    const signal = {
      serializer: ProtobufTraceSerializer,
      helper: TraceExporterMetricsHelper,
      component: 'otlp_http_span_exporter',
    };
    const exporter = await openExporter(traces, signal, new ExportLog('span', traces.url, metrics, log));
    const source = { resource, scope, clock: new WallClock() };
    const queue = new SpanQueue(exporter, source, traces, limits.maxFaultTracesPerSecond, metrics);
    observers.push(queue);
    endings.push(() => queue.close());
  }
  if (pushed !== undefined) {
    const signal = {
      serializer: ProtobufMetricsSerializer,
      helper: MetricsExporterMetricsHelper,
      component: 'otlp_http_metric_exporter',
    };
    const exportLog = new ExportLog('metric_data_point', pushed.url, metrics, log);
    const reader = new PeriodicExportingMetricReader({
      exporter: await openExporter(pushed, signal, exportLog),
      exportIntervalMillis: pushed.intervalMs,
      exportTimeoutMillis: Math.min(maxMetricExportMs, pushed.intervalMs),
    });
    reader.setMetricProducer(new RegistryProducer(metrics, resource, scope, pushed.isDelta));
    endings.push(() => reader.shutdown());
  }
  return {
    tracing: traces && { ...tracing, maxRemoteSampledPerSecond: limits.maxRemoteSampledPerSecond },
    observers,
    async close() {
      const timer = new AbortController();
      // The log has been told of what can't be sent.
      const ended = Promise.allSettled(endings.map((end) => end()));
      await Promise.race([ended, delay(closeTimeoutMs, undefined, { signal: timer.signal })]);
      timer.abort();
    },
  };
}
