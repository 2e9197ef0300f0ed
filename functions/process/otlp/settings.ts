import { readFileSync } from 'node:fs';
import type { TracingOptions } from '../../rpc/index.ts';
import type { Settings } from '../settings.ts';
import { isHeader, parsePairs } from './pairs.ts';

/** Where traces or metrics go, by OTLP over HTTP. */
export interface OtlpEndpoint {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The time of an export, its retries included. */
  readonly timeoutMs: number;
  readonly compression: 'none' | 'gzip';
  /** The authorities to trust, in PEM. Default: those that Node trusts. */
  readonly ca: Buffer | undefined;
}

/** How spans are collected for the next export. */
export interface SpanBatching {
  readonly delayMs: number;
  readonly exportTimeoutMs: number;
  /** Spans that wait or are under way; further ones are lost, and counted. */
  readonly maxQueueSpans: number;
  readonly maxBatchSpans: number;
}

/** What is sent by OTLP, and where to. */
export interface OtlpConfig {
  readonly traces: (OtlpEndpoint & SpanBatching) | undefined;
  readonly metrics: (OtlpEndpoint & { readonly intervalMs: number; readonly isDelta: boolean }) | undefined;
  /** What describes this process to those who receive it, `service.name` among it. */
  readonly resource: Readonly<Record<string, string>>;
}

/** The settings of telemetry that is sent, and of tracing. */
export interface TelemetryConfig {
  readonly tracing: Required<Pick<TracingOptions, 'followsParents' | 'followsDecisions' | 'ratio'>>;
  /** `undefined` where nothing is to be sent. */
  readonly otlp: OtlpConfig | undefined;
}

/** What can be set for all signals, and for each. */
interface Transport {
  readonly endpoint: string | undefined;
  readonly headers: Readonly<Record<string, string>> | undefined;
  readonly timeoutMs: number | undefined;
  readonly compression: 'none' | 'gzip' | undefined;
  readonly ca: Buffer | undefined;
}

const samplers = [
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
  'always_on',
  'always_off',
  'traceidratio',
] as const;

const longestMs = { from: 1, to: 2 ** 31 - 1 };
const defaultCollector = 'http://localhost:4318';

/**
 * Reads TRACE_PARENTS and the OTEL_* variables, which mean what
 * https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ says. Something is sent where an
 * endpoint is set, or an exporter that is named `otlp`. Bad ones become problems of the settings.
 *
 * @param serviceName the name of the service where the settings have none
 */
export function readTelemetrySettings(settings: Settings, serviceName: string): TelemetryConfig {
  const followsParents = settings.choice('TRACE_PARENTS', ['follow', 'link'], 'follow') === 'follow';
  const general = readTransport(settings, '');
  const ofTraces = readTransport(settings, 'TRACES_');
  const ofMetrics = readTransport(settings, 'METRICS_');
  const batching = readBatching(settings);
  const intervalMs = settings.wholeNumber('OTEL_METRIC_EXPORT_INTERVAL', longestMs) ?? 60_000;
  const temporality = 'OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE';
  const isDelta = settings.choice(temporality, ['cumulative', 'delta'], 'cumulative') === 'delta';
  const isTracing = isExported(settings, 'OTEL_TRACES_EXPORTER', general, ofTraces);
  const isCounting = isExported(settings, 'OTEL_METRICS_EXPORTER', general, ofMetrics);
  const resource = {
    'service.name': serviceName,
    ...readPairs(settings, 'OTEL_RESOURCE_ATTRIBUTES', (name) => name !== ''),
  };
  const name = settings.text('OTEL_SERVICE_NAME');
  if (name !== undefined) resource['service.name'] = name;
  const tracing = { followsParents, ...readSampler(settings) };
  const isDisabled = settings.choice('OTEL_SDK_DISABLED', ['true', 'false'], 'false') === 'true';
  if (isDisabled || !(isTracing || isCounting)) return { tracing, otlp: undefined };
  return {
    tracing,
    otlp: {
      traces: isTracing ? { ...endpointOf('v1/traces', general, ofTraces), ...batching } : undefined,
      metrics: isCounting
        ? { ...endpointOf('v1/metrics', general, ofMetrics), intervalMs, isDelta }
        : undefined,
      resource,
    },
  };
}

function isExported(settings: Settings, name: string, general: Transport, own: Transport): boolean {
  const exporter = settings.text(name) && settings.choice(name, ['otlp', 'none'], 'none');
  if (exporter === undefined) return (own.endpoint ?? general.endpoint) !== undefined;
  return exporter === 'otlp';
}

/** An endpoint of all signals gets the path of each; one of a signal is taken as it is. */
function endpointOf(path: string, general: Transport, own: Transport): OtlpEndpoint {
  const base = general.endpoint ?? defaultCollector;
  return {
    url: own.endpoint ?? `${base.replace(/\/$/, '')}/${path}`,
    headers: { ...general.headers, ...own.headers },
    timeoutMs: own.timeoutMs ?? general.timeoutMs ?? 10_000,
    compression: own.compression ?? general.compression ?? 'none',
    ca: own.ca ?? general.ca,
  };
}

/** `signal`: `TRACES_`, `METRICS_`, or nothing for those of all. */
function readTransport(settings: Settings, signal: '' | 'TRACES_' | 'METRICS_'): Transport {
  const name = (what: string) => `OTEL_EXPORTER_OTLP_${signal}${what}`;
  const choice = <T extends string>(what: string, choices: readonly [T, ...T[]]) =>
    settings.text(name(what)) === undefined ? undefined : settings.choice(name(what), choices, choices[0]);
  choice('PROTOCOL', ['http/protobuf']);
  return {
    endpoint: settings.url(name('ENDPOINT'), name('HEADERS')),
    headers: readPairs(settings, name('HEADERS'), isHeader),
    timeoutMs: settings.wholeNumber(name('TIMEOUT'), longestMs),
    compression: choice('COMPRESSION', ['none', 'gzip']),
    ca: readAuthorities(settings, name('CERTIFICATE')),
  };
}

/** They may be secrets: the line that refuses them does not show them. */
function readPairs(settings: Settings, name: string, isPair: (name: string, value: string) => boolean) {
  const text = settings.text(name);
  if (text === undefined) return undefined;
  const pairs = parsePairs(text);
  if (pairs?.every(([key, value]) => isPair(key, value))) return Object.fromEntries(pairs);
  settings.problem(`${name} must be pairs such as name=value, separated by commas, with percent encoding`);
  return undefined;
}

function readAuthorities(settings: Settings, name: string): Buffer | undefined {
  const file = settings.text(name);
  if (file === undefined) return undefined;
  try {
    const content = readFileSync(file);
    if (content.includes('-----BEGIN CERTIFICATE-----')) return content;
    settings.problem(`${name} (${file}) has no certificate in PEM`);
  } catch (error) {
    settings.problem(`${name} can't be read: ${error instanceof Error ? error.message : error}`);
  }
  return undefined;
}

function readBatching(settings: Settings): SpanBatching {
  const spans = { from: 1, to: 100_000 };
  const maxQueueSpans = settings.wholeNumber('OTEL_BSP_MAX_QUEUE_SIZE', spans) ?? 2048;
  const maxBatchSpans = settings.wholeNumber('OTEL_BSP_MAX_EXPORT_BATCH_SIZE', spans);
  if (maxBatchSpans !== undefined && maxBatchSpans > maxQueueSpans) {
    settings.problem(
      `OTEL_BSP_MAX_EXPORT_BATCH_SIZE (${maxBatchSpans}) must not be above OTEL_BSP_MAX_QUEUE_SIZE (${maxQueueSpans})`,
    );
  }
  return {
    delayMs: settings.wholeNumber('OTEL_BSP_SCHEDULE_DELAY', longestMs) ?? 5_000,
    exportTimeoutMs: settings.wholeNumber('OTEL_BSP_EXPORT_TIMEOUT', longestMs) ?? 30_000,
    maxQueueSpans,
    maxBatchSpans: maxBatchSpans ?? Math.min(512, maxQueueSpans),
  };
}

function readSampler(settings: Settings): Pick<TelemetryConfig['tracing'], 'followsDecisions' | 'ratio'> {
  const sampler = settings.choice('OTEL_TRACES_SAMPLER', samplers, 'parentbased_always_on');
  const text = settings.text('OTEL_TRACES_SAMPLER_ARG');
  const part = text !== undefined && /^\d*\.?\d+$/.test(text) ? Number(text) : Number.NaN;
  const isRatio = part >= 0 && part <= 1;
  if (text !== undefined && !isRatio) settings.refuse('OTEL_TRACES_SAMPLER_ARG', 'a number from 0 to 1');
  const followsDecisions = sampler.startsWith('parentbased_');
  if (sampler.endsWith('always_on')) return { followsDecisions, ratio: 1 };
  if (sampler.endsWith('always_off')) return { followsDecisions, ratio: 0 };
  return { followsDecisions, ratio: isRatio ? part : 1 };
}
