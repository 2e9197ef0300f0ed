// Proves that `telemetry` sends metrics and traces to CloudWatch by the way that was chosen, with the rights for it and
// no others: which settings the server gets, what runs beside it, that those settings are ones that the server takes,
// and that options which can't be meant are refused.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Template } from 'aws-cdk-lib/assertions';
import { readConfig } from '../../functions/users/config.ts';
import { collectorConfig, sentMetrics } from '../../infra/collector.ts';
import { readOptions } from '../../infra/context.ts';
import { makeApp, resourcesOf, theOnly, usersTemplate } from './synthesis.ts';

interface Container {
  readonly Name: string;
  readonly Memory: number;
  readonly Environment: readonly { readonly Name: string; readonly Value: unknown }[];
  readonly [property: string]: unknown;
}

function containersOf(template: Template): Container[] {
  const { ContainerDefinitions: definitions } = theOnly(template, 'AWS::ECS::TaskDefinition').Properties;
  assert(Array.isArray(definitions));
  return definitions;
}

/** The environment of a container. A reference to the region is `us-east-1`, another one its name. */
function allSettingsOf({ Environment: environment }: Container): Record<string, string> {
  const text = JSON.stringify(environment)
    .replaceAll('{"Ref":"AWS::Region"}', '"us-east-1"')
    .replaceAll(/\{"Ref":("\w+")\}/g, '$1');
  const settings: { Name: string; Value: string | { 'Fn::Join': [string, string[]] } }[] = JSON.parse(text);
  return Object.fromEntries(
    settings.map(({ Name, Value }) => [
      Name,
      typeof Value === 'string' ? Value : Value['Fn::Join'][1].join(''),
    ]),
  );
}

/** What it is told of telemetry. */
function settingsOf(container: Container): Record<string, string> {
  const isOfTelemetry = ([name]: [string, string]) => /^(?:OTEL_|TRACE_|AOT_)/.test(name);
  return Object.fromEntries(Object.entries(allSettingsOf(container)).filter(isOfTelemetry));
}

function serverOf(template: Template): Container {
  const [server = assert.fail('no container')] = containersOf(template);
  return server;
}

/** What the tasks may do to whatever has no resource of its own. */
function rightsOf(template: Template): unknown[] {
  const [, policy = assert.fail('no policy')] =
    resourcesOf(template, 'AWS::IAM::Policy').find(([id]) => /TaskTaskRole/.test(id)) ?? [];
  const { Statement: statements } = JSON.parse(JSON.stringify(policy.Properties.PolicyDocument));
  return statements
    .filter(({ Resource }: { Resource: unknown }) => Resource === '*')
    .flatMap(({ Action }: { Action: unknown }) => Action);
}

const told = {
  OTEL_SERVICE_NAME: 'Users',
  OTEL_RESOURCE_ATTRIBUTES: 'cloud.provider=aws,cloud.platform=aws_ecs,cloud.region=us-east-1',
  OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
  OTEL_TRACES_SAMPLER_ARG: '0.01',
  TRACE_PARENTS: 'link',
};

describe('telemetry=none, and nothing said', () => {
  for (const context of [{}, { telemetry: 'none' }]) {
    test(JSON.stringify(context), () => {
      const template = usersTemplate(context);
      assert.deepEqual(settingsOf(serverOf(template)), {});
      assert.deepEqual(rightsOf(template), []);
      assert.equal(containersOf(template).length, 1);
    });
  }
});

describe('telemetry=otlp: from the server to CloudWatch', () => {
  const template = usersTemplate({ telemetry: 'otlp' });

  test('the server is told the endpoints of its region, and alone', () => {
    assert.deepEqual(settingsOf(serverOf(template)), {
      ...told,
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://xray.us-east-1.amazonaws.com/v1/traces',
      OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'https://monitoring.us-east-1.amazonaws.com/v1/metrics',
    });
    assert.equal(containersOf(template).length, 1);
    assert.equal(serverOf(template).Memory, 512);
  });

  test('its tasks may write spans and metrics', () => {
    assert.deepEqual(rightsOf(template), [
      'cloudwatch:PutMetricData',
      'xray:PutSpans',
      'xray:PutSpansForIndexing',
      'xray:PutTraceSegments',
    ]);
  });

  test('in private subnets over endpoints', () => {
    const endpoints = JSON.stringify(
      resourcesOf(usersTemplate({ telemetry: 'otlp', privateSubnets: 'true' }), 'AWS::EC2::VPCEndpoint'),
    );
    for (const service of ['.xray"', '.monitoring"']) assert(endpoints.includes(service), service);
  });
});

describe('telemetry=adot: a collector beside the server', () => {
  const template = usersTemplate({ telemetry: 'adot' });
  const [server = assert.fail(), collector = assert.fail(), ...rest] = containersOf(template);

  test('the server is told of it', () => {
    assert.deepEqual(settingsOf(serverOf(template)), {
      ...told,
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318',
    });
    assert.deepEqual(rest, []);
  });

  test('it is pinned by its digest, with a health check, limits of its own, and no part of what makes a task healthy', () => {
    assert.match(String(collector.Image), /^public\.ecr\.aws\/[\w/-]+@sha256:[0-9a-f]{64}$/);
    assert.equal(collector.Essential, false);
    assert.deepEqual(collector.RestartPolicy, { Enabled: true, RestartAttemptPeriod: 60 });
    assert.equal(collector.ReadonlyRootFilesystem, true);
    assert.deepEqual(collector.LinuxParameters, { Capabilities: { Drop: ['ALL'] } });
    assert.partialDeepStrictEqual(collector.HealthCheck, { Command: ['CMD', '/healthcheck'] });
    assert.equal(collector.PortMappings, undefined, 'nobody outside of the task reaches it');
    assert.equal(collector.Cpu, 32);
  });

  test('memory is enough for both', () => {
    const { Memory } = theOnly(template, 'AWS::ECS::TaskDefinition').Properties;
    assert.equal(server.Memory + collector.Memory, Number(Memory));
    assert.equal(collector.Memory, 128);
    assert(server.Memory >= 512);
  });

  test('the server is stopped before it', () => {
    assert.deepEqual(server.DependsOn, [{ ContainerName: 'Collector', Condition: 'START' }]);
  });

  test('its tasks may write segments and metrics', () => {
    assert.deepEqual(rightsOf(template), ['cloudwatch:PutMetricData', 'xray:PutTraceSegments']);
  });

  test('it listens on the loopback alone, and sends the metrics that are named and no others', () => {
    const config = collectorConfig('us-east-1');
    assert.deepEqual(JSON.parse(settingsOf(collector).AOT_CONFIG_CONTENT ?? ''), config);
    const { receivers, processors, exporters, service } = config;
    assert.equal(receivers.otlp.protocols.http.endpoint, '127.0.0.1:4318');
    const [, pattern = assert.fail()] =
      /IsMatch\(metric\.name, "(.+)"\)/.exec(processors.filter.metric_conditions[0] ?? '') ?? [];
    for (const name of sentMetrics) assert.match(name, new RegExp(pattern));
    for (const other of ['http.server.request.duration', 'rpc-server-call-duration', 'server.ready.more'])
      assert.doesNotMatch(other, new RegExp(pattern));
    // Whatever a pipeline names is configured.
    const named = Object.values(service.pipelines).flatMap((it) => Object.values(it).flat());
    for (const name of named)
      assert(name in { ...receivers, ...processors, ...exporters }, `${name} is configured`);
  });
});

test('the server takes what it is told as it is', () => {
  for (const telemetry of ['adot', 'otlp']) {
    const settings = allSettingsOf(serverOf(usersTemplate({ telemetry, auth: 'none' })));
    assert.doesNotThrow(() => readConfig(settings));
  }
});

test('traceRatio and traceParents: how many traces are kept, and who decides', () => {
  const settings = settingsOf(
    serverOf(usersTemplate({ telemetry: 'otlp', traceRatio: '0.25', traceParents: 'follow' })),
  );
  assert.partialDeepStrictEqual(settings, { OTEL_TRACES_SAMPLER_ARG: '0.25', TRACE_PARENTS: 'follow' });
  // As cdk.json has it.
  assert.equal(
    settingsOf(serverOf(usersTemplate({ telemetry: 'otlp', traceRatio: 1 }))).OTEL_TRACES_SAMPLER_ARG,
    '1',
  );
});

describe('what can not be meant', () => {
  const refused: [Record<string, unknown>, RegExp][] = [
    [{ telemetry: 'all' }, /^telemetry must be adot, otlp or none, not "all"$/],
    [{ telemetry: 'otlp', traceRatio: '2' }, /^traceRatio must be a number from 0 to 1, not "2"$/],
    [{ telemetry: 'otlp', traceParents: 'ask' }, /^traceParents must be follow or link, not "ask"$/],
    [
      { traceRatio: '0.5' },
      /^traceRatio is for telemetry: set that to adot or otlp, or leave traceRatio out$/,
    ],
    [
      { telemetry: 'adot', privateSubnets: 'true' },
      /^telemetry=adot and privateSubnets: [^\n]* take telemetry=otlp$/,
    ],
  ];
  for (const [context, message] of refused) {
    test(JSON.stringify(context), () => {
      assert.throws(() => readOptions(makeApp(context).node), { message });
    });
  }

  test('a task that is too small for both', () => {
    assert.throws(() => usersTemplate({ telemetry: 'adot', memoryMiB: '512' }), {
      name: 'RangeError',
      message:
        /^memoryMiB \(512\) leaves the server 384 beside the collector, [^\n]*: take 1024, or telemetry/,
    });
  });
});
