// Proves that the examples synthesise without a finding of cdk-nag, and what GrpcService makes of them: gRPC alone has
// one target group and one rule; services that share a load balancer have rules, alarms, a roll-back and scaling of
// their own, on figures of their own target groups. A processor that there is not, and a machine without Go, are told
// in a sentence.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Match } from 'aws-cdk-lib/assertions';
import { buildGoImage } from '../../infra/examples/go-image.ts';
import { exampleTemplate } from './example-templates.ts';
import { type Measured, replay } from './replay.ts';
import { resourcesOf, theOnly } from './synthesis.ts';

const group = 'AWS::ElasticLoadBalancingV2::TargetGroup';
const rule = 'AWS::ElasticLoadBalancingV2::ListenerRule';
const alarm = 'AWS::CloudWatch::Alarm';

describe('what an example is built with', () => {
  test('a processor that there is not is refused', () => {
    assert.throws(() => buildGoImage('x86'), {
      message: /^machine must be one of x86_64, amd64, .*, not x86$/,
    });
  });

  test('without Go a sentence says so', (t) => {
    const { PATH } = process.env;
    t.after(() => {
      process.env.PATH = PATH;
    });
    process.env.PATH = '';
    assert.throws(() => buildGoImage('aarch64'), {
      message: 'Go 1.26 or later is needed: there is no go in PATH',
    });
  });
});

describe('gRPC alone', () => {
  const hello = exampleTemplate('Hello');

  test('is routed by content type to one GRPC target group; all else is answered with 404', () => {
    assert.equal(theOnly(hello, group).Properties.ProtocolVersion, 'GRPC');
    const { Conditions } = theOnly(hello, rule).Properties;
    assert.deepEqual(Conditions, [
      {
        Field: 'http-header',
        HttpHeaderConfig: {
          HttpHeaderName: 'content-type',
          Values: ['application/grpc', 'application/grpc+*', 'application/grpc;*'],
        },
      },
    ]);
    hello.hasResourceProperties('AWS::ElasticLoadBalancingV2::Listener', {
      DefaultActions: [
        { Type: 'fixed-response', FixedResponseConfig: Match.objectLike({ StatusCode: '404' }) },
      ],
    });
    const { LoadBalancers } = theOnly(hello, 'AWS::ECS::Service').Properties;
    assert(Array.isArray(LoadBalancers) && LoadBalancers.length === 1);
  });

  test('alarms, the dashboard and the roll-back come with it', () => {
    const names = resourcesOf(hello, alarm).map(([id]) => id.replace(/^HelloWatchAlarms|.{8}$/g, ''));
    assert.deepEqual(names.sort(), [
      'BusyCpu',
      'CertificateExpiry',
      'FailedCalls',
      'RollBack',
      'ServerErrors',
      'SlowCalls',
      'TooFewTasks',
      'UnhealthyTasks',
    ]);
    hello.resourceCountIs('AWS::CloudWatch::Dashboard', 1);
    const [, { Properties: rollBack }] = resourcesOf(hello, alarm).find(([id]) => /RollBack/.test(id)) ?? [
      '',
      assert.fail('there is no alarm'),
    ];
    hello.hasResourceProperties('AWS::ECS::Service', {
      DeploymentConfiguration: Match.objectLike({
        Alarms: { AlarmNames: [rollBack.AlarmName], Enable: true, Rollback: true },
        DeploymentCircuitBreaker: { Enable: true, Rollback: true },
      }),
    });
    hello.hasResourceProperties('AWS::Logs::MetricFilter', { FilterPattern: '{ $.fault IS TRUE }' });
  });
});

describe('services that share a load balancer', () => {
  const shop = exampleTemplate('Shop');

  test('there is one load balancer, network and certificate; each service has its rule', () => {
    for (const type of ['LoadBalancer', 'Listener'])
      shop.resourceCountIs(`AWS::ElasticLoadBalancingV2::${type}`, 1);
    shop.resourceCountIs('AWS::EC2::VPC', 1);
    shop.resourceCountIs('Custom::SelfIssuedCertificate', 1);
    for (const [Priority, path] of [
      [10, '/shop.Orders/*'],
      [20, '/shop.Stock/*'],
    ] as const) {
      shop.hasResourceProperties(rule, {
        Priority,
        Conditions: [
          Match.objectLike({ Field: 'http-header' }),
          { Field: 'path-pattern', PathPatternConfig: { Values: [path] } },
        ],
      });
    }
  });

  test('what is said of a service is said of its own target group', () => {
    const groups = resourcesOf(shop, group).map(([id]) => id);
    for (const [id, { Properties }] of resourcesOf(shop, alarm)) {
      const text = JSON.stringify(Properties);
      const [, owner] = /^(Front|Orders|Stock)/.exec(id) ?? assert.fail(id);
      const others = groups.filter((it) => !it.startsWith(owner ?? ''));
      for (const other of others)
        if (owner !== 'Front') assert(!text.includes(other), `${id} looks at ${other}`);
      assert.equal(/HTTPCode_ELB_/.test(text), id.startsWith('FrontAlarmsServerErrors'), id);
      if (/ServerErrors|RollBack/.test(id) && owner !== 'Front')
        assert(text.includes('TargetConnectionErrorCount'), id);
    }
  });

  test('each has an alarm of its own by which it is rolled back, and scales on its own requests', () => {
    const names = resourcesOf(shop, 'AWS::ECS::Service').map(([, { Properties }]) => {
      const [, name] = /"AlarmNames":\["([^"]+)"/.exec(JSON.stringify(Properties)) ?? [];
      return name;
    });
    assert.deepEqual(names.sort(), ['Shop-Orders-roll-back', 'Shop-Stock-roll-back']);
    const policies = resourcesOf(shop, 'AWS::ApplicationAutoScaling::ScalingPolicy')
      .map(([, { Properties }]) => JSON.stringify(Properties))
      .filter((it) => it.includes('RequestCount'));
    assert.equal(policies.length, 2);
    for (const policy of policies) assert.match(policy, /\(FILL\(requests0, 0\)\) \/ \(FILL\(tasks0, 0\)\)/);
  });

  test('it is rolled back by calls that fail and by refused connections, but by no error of a neighbour', () => {
    const minutes = (value: number) => Array(8).fill(value);
    const after = (measured: Measured) => replay(shop, 'OrdersWatchAlarmsRollBack', measured).at(-1);
    const calls = { RequestCount: minutes(100) };
    assert.equal(after({ ...calls, FailedCalls: minutes(0) }), 'OK');
    assert.equal(after({ ...calls, FailedCalls: minutes(5) }), 'ALARM');
    assert.equal(after({ ...calls, 'TargetConnectionErrorCount@OrdersTargets': minutes(5) }), 'ALARM');
    const neighbours = {
      'TargetConnectionErrorCount@StockTargets': minutes(50),
      HTTPCode_ELB_502_Count: minutes(50),
    };
    assert.equal(after({ ...calls, FailedCalls: minutes(0), ...neighbours }), 'OK');
  });

  test('a share of Spot keeps one task on demand', () => {
    shop.hasResourceProperties('AWS::ECS::Service', {
      LaunchType: Match.absent(),
      CapacityProviderStrategy: [
        { CapacityProvider: 'FARGATE', Base: 1, Weight: 20 },
        { CapacityProvider: 'FARGATE_SPOT', Weight: 80 },
      ],
    });
    shop.hasResourceProperties('AWS::ECS::ClusterCapacityProviderAssociations', {
      CapacityProviders: ['FARGATE', 'FARGATE_SPOT'],
    });
  });
});
