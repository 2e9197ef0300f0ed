// Proves that the OTEL_* variables are read as OpenTelemetry defines them, that nothing is sent unless one asks for it,
// and that each that can't be used is told in a line of its own, which shows no secret.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { signingOf } from '../../../functions/process/otlp/aws-endpoint.ts';
import { readTelemetrySettings } from '../../../functions/process/otlp/settings.ts';
import { ConfigError, type Environment, Settings } from '../../../functions/process/settings.ts';

const otlp = (env: Environment) => readTelemetrySettings(new Settings(env), 'users').otlp;

function problemsOf(env: Environment): readonly string[] {
  const settings = new Settings(env);
  readTelemetrySettings(settings, 'users');
  try {
    settings.check();
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.problems;
  }
  return [];
}

describe('what is sent', () => {
  const endpoint = 'http://collector:4318';
  const cases: [what: string, Environment, traces: string | undefined, metrics: string | undefined][] = [
    ['nothing by default', {}, undefined, undefined],
    ['nothing for a name alone', { OTEL_SERVICE_NAME: 'x' }, undefined, undefined],
    [
      'both to one endpoint, each to its path',
      { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint },
      `${endpoint}/v1/traces`,
      `${endpoint}/v1/metrics`,
    ],
    [
      'to a path below the endpoint',
      { OTEL_EXPORTER_OTLP_ENDPOINT: `${endpoint}/otlp/` },
      `${endpoint}/otlp/v1/traces`,
      `${endpoint}/otlp/v1/metrics`,
    ],
    [
      'to an endpoint of its own, as it is',
      { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${endpoint}/mine` },
      `${endpoint}/mine`,
      undefined,
    ],
    ['to this machine', { OTEL_METRICS_EXPORTER: 'otlp' }, undefined, 'http://localhost:4318/v1/metrics'],
    [
      'not what has no exporter',
      { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_METRICS_EXPORTER: 'none' },
      `${endpoint}/v1/traces`,
      undefined,
    ],
    [
      'nothing that is disabled',
      { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_SDK_DISABLED: 'true' },
      undefined,
      undefined,
    ],
  ];
  for (const [what, env, traces, metrics] of cases) {
    it(what, () => {
      const config = otlp(env);
      assert.equal(config?.traces?.url, traces);
      assert.equal(config?.metrics?.url, metrics);
    });
  }
});

it('settings of a signal replace those of all, its headers join them', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'users-otlp-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const ca = '-----BEGIN CERTIFICATE-----\n';
  writeFileSync(join(folder, 'ca.pem'), ca);
  const config = otlp({
    OTEL_EXPORTER_OTLP_ENDPOINT: 'https://collector.example',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
    OTEL_EXPORTER_OTLP_HEADERS: 'api-key=a%20b, x=1',
    OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'x=2',
    OTEL_EXPORTER_OTLP_TIMEOUT: '1000',
    OTEL_EXPORTER_OTLP_METRICS_TIMEOUT: '2000',
    OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
    OTEL_EXPORTER_OTLP_METRICS_COMPRESSION: 'none',
    OTEL_EXPORTER_OTLP_CERTIFICATE: join(folder, 'ca.pem'),
    OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: 'delta',
    OTEL_METRIC_EXPORT_INTERVAL: '5000',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=staging,service.name=other',
    OTEL_SERVICE_NAME: 'mine',
    OTEL_BSP_SCHEDULE_DELAY: '1',
    OTEL_BSP_EXPORT_TIMEOUT: '2',
    OTEL_BSP_MAX_QUEUE_SIZE: '30',
    OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '20',
  });
  assert.deepEqual(config?.traces, {
    url: 'https://collector.example/v1/traces',
    headers: { 'api-key': 'a b', x: '2' },
    timeoutMs: 1000,
    compression: 'gzip',
    ca: Buffer.from(ca),
    delayMs: 1,
    exportTimeoutMs: 2,
    maxQueueSpans: 30,
    maxBatchSpans: 20,
  });
  assert.deepEqual(config?.metrics, {
    url: 'https://collector.example/v1/metrics',
    headers: { 'api-key': 'a b', x: '1' },
    timeoutMs: 2000,
    compression: 'none',
    ca: Buffer.from(ca),
    intervalMs: 5000,
    isDelta: true,
  });
  assert.deepEqual(config?.resource, { 'deployment.environment.name': 'staging', 'service.name': 'mine' });
});

describe('the sampler', () => {
  const cases: [
    sampler: string | undefined,
    arg: string | undefined,
    ratio: number,
    followsDecisions: boolean,
  ][] = [
    [undefined, undefined, 1, true],
    ['always_on', undefined, 1, false],
    ['always_off', undefined, 0, false],
    ['traceidratio', '0.1', 0.1, false],
    ['traceidratio', undefined, 1, false],
    ['parentbased_always_on', undefined, 1, true],
    ['parentbased_always_off', undefined, 0, true],
    ['parentbased_traceidratio', '.25', 0.25, true],
  ];
  for (const [sampler, arg, ratio, followsDecisions] of cases) {
    it(`${sampler} ${arg ?? ''}`, () => {
      const env = { OTEL_TRACES_SAMPLER: sampler, OTEL_TRACES_SAMPLER_ARG: arg };
      const { tracing } = readTelemetrySettings(new Settings(env), 'users');
      assert.deepEqual(tracing, { followsParents: true, ratio, followsDecisions });
    });
  }
});

describe('a setting that can not be used is told', () => {
  const secret = 'hunter2';
  const cases: [Environment, line: RegExp][] = [
    [{ TRACE_PARENTS: 'trust' }, /^TRACE_PARENTS must be one of follow, link, not "trust"$/],
    [
      { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' },
      /^OTEL_EXPORTER_OTLP_PROTOCOL must be one of http\/protobuf, not "grpc"$/,
    ],
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT: `user:${secret}@collector:4317` },
      /^OTEL_EXPORTER_OTLP_ENDPOINT must be an http or https URL without .*, which go into OTEL_EXPORTER_OTLP_HEADERS$/,
    ],
    [
      { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `http://user:${secret}%zz@collector` },
      /^OTEL_EXPORTER_OTLP_TRACES_ENDPOINT must be .*, which go into OTEL_EXPORTER_OTLP_TRACES_HEADERS$/,
    ],
    [
      { OTEL_EXPORTER_OTLP_HEADERS: secret },
      /^OTEL_EXPORTER_OTLP_HEADERS must be pairs such as name=value, separated by commas, with percent encoding$/,
    ],
    [
      { OTEL_EXPORTER_OTLP_TRACES_HEADERS: `a b=${secret}` },
      /^OTEL_EXPORTER_OTLP_TRACES_HEADERS must be pairs/,
    ],
    [
      { OTEL_EXPORTER_OTLP_METRICS_HEADERS: `a=%zz${secret}` },
      /^OTEL_EXPORTER_OTLP_METRICS_HEADERS must be pairs/,
    ],
    [{ OTEL_EXPORTER_OTLP_HEADERS: `a=%0d%0a${secret}` }, /^OTEL_EXPORTER_OTLP_HEADERS must be pairs/],
    [{ OTEL_RESOURCE_ATTRIBUTES: 'a' }, /^OTEL_RESOURCE_ATTRIBUTES must be pairs/],
    [{ OTEL_EXPORTER_OTLP_TIMEOUT: '0' }, /^OTEL_EXPORTER_OTLP_TIMEOUT must be a whole number from 1/],
    [{ OTEL_EXPORTER_OTLP_COMPRESSION: 'br' }, /^OTEL_EXPORTER_OTLP_COMPRESSION must be one of none, gzip/],
    [
      { OTEL_EXPORTER_OTLP_CERTIFICATE: '/nowhere.pem' },
      /^OTEL_EXPORTER_OTLP_CERTIFICATE can't be read: ENOENT/,
    ],
    [
      { OTEL_EXPORTER_OTLP_CERTIFICATE: 'package.json' },
      /^OTEL_EXPORTER_OTLP_CERTIFICATE \(package.json\) has no certificate in PEM$/,
    ],
    [{ OTEL_TRACES_EXPORTER: 'zipkin' }, /^OTEL_TRACES_EXPORTER must be one of otlp, none, not "zipkin"$/],
    [
      { OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: 'lowmemory' },
      /^OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE must be one of cumulative, delta/,
    ],
    [{ OTEL_TRACES_SAMPLER: 'xray' }, /^OTEL_TRACES_SAMPLER must be one of parentbased_always_on/],
    [{ OTEL_TRACES_SAMPLER_ARG: '1.5' }, /^OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1, not "1.5"$/],
    [{ OTEL_TRACES_SAMPLER_ARG: '-1' }, /^OTEL_TRACES_SAMPLER_ARG must be/],
    [
      { OTEL_BSP_MAX_QUEUE_SIZE: '10', OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '11' },
      /^OTEL_BSP_MAX_EXPORT_BATCH_SIZE \(11\) must not be above OTEL_BSP_MAX_QUEUE_SIZE \(10\)$/,
    ],
    [{ OTEL_SDK_DISABLED: 'yes' }, /^OTEL_SDK_DISABLED must be one of true, false/],
  ];
  for (const [env, line] of cases) {
    it(Object.keys(env).join(), () => {
      const problems = problemsOf(env);
      assert.equal(problems.length, 1, problems.join('\n'));
      assert.match(problems[0] ?? '', line);
      assert.ok(!problems.join().includes(secret));
    });
  }

  it('whatever the texts are', () => {
    const read = new Set<string>();
    const watched = new Proxy<Environment>({}, { get: (_, name) => void read.add(String(name)) });
    readTelemetrySettings(new Settings(watched), 'users');
    const env = fc.dictionary(
      fc.constantFrom(...read),
      fc.string({ unit: 'grapheme' }).filter((it) => !/[\r\n]/.test(it)),
    );
    fc.assert(
      fc.property(env, (it) => problemsOf(it).every((line) => !line.includes('\n'))),
      { numRuns: 500 },
    );
  });
});

it("knows CloudWatch's own endpoints, which want a signature, from all others", () => {
  assert.deepEqual(signingOf('https://xray.eu-central-1.amazonaws.com/v1/traces'), {
    service: 'xray',
    region: 'eu-central-1',
  });
  assert.deepEqual(signingOf('https://monitoring.us-gov-west-1.amazonaws.com/v1/metrics'), {
    service: 'monitoring',
    region: 'us-gov-west-1',
  });
  for (const url of [
    'http://xray.eu-central-1.amazonaws.com/v1/traces',
    'https://xray.eu-central-1.amazonaws.com.example.com/v1/traces',
    'https://notxray.eu-central-1.amazonaws.com/v1/traces',
    'https://s3.eu-central-1.amazonaws.com/v1/traces',
    'https://collector.example/xray.eu-central-1.amazonaws.com',
  ])
    assert.equal(signingOf(url), undefined, url);
});
