// Proves what GrpcService promises of its template: gRPC and HTTP/1.1 to one port by the right rules, health checks of
// both kinds, lifetimes that fit the server's own, hardened containers, closed security groups, scaling, and a
// roll-back when a deployment fails. And that the environment it sets is one the server takes.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Match, type Template } from 'aws-cdk-lib/assertions';
import { readConfig } from '../../functions/users/config.ts';
import { resourcesOf, theOnly, usersTemplate } from './synthesis.ts';

const template = usersTemplate();

interface Container {
  readonly Environment: readonly { Name: string; Value: unknown }[];
  readonly Secrets: readonly { Name: string }[];
  readonly [property: string]: unknown;
}

function container(from: Template): Container {
  const { ContainerDefinitions: definitions } = theOnly(from, 'AWS::ECS::TaskDefinition').Properties;
  assert(Array.isArray(definitions) && definitions.length === 1);
  return definitions[0];
}

/** As the container gets it; references become a name, secrets what Secrets Manager makes. */
function environment(from: Template): Record<string, string> {
  const { Environment, Secrets } = container(from);
  return Object.fromEntries([
    ...Environment.map(({ Name, Value }) => [Name, typeof Value === 'string' ? Value : 'reference']),
    ...Secrets.map(({ Name }) => [Name, 'A1'.repeat(22).slice(1)]),
  ]);
}

describe('routing', () => {
  const group = 'AWS::ElasticLoadBalancingV2::TargetGroup';
  const rule = 'AWS::ElasticLoadBalancingV2::ListenerRule';

  test('gRPC goes to a GRPC target group, by content type, but gRPC-Web does not', () => {
    const [[id] = ['']] = resourcesOf(template, group).filter(
      ([, { Properties }]) => Properties.ProtocolVersion === 'GRPC',
    );
    template.hasResourceProperties(rule, {
      Priority: 10,
      Conditions: [
        {
          Field: 'http-header',
          HttpHeaderConfig: {
            HttpHeaderName: 'content-type',
            Values: ['application/grpc', 'application/grpc+*', 'application/grpc;*'],
          },
        },
      ],
      Actions: [{ Type: 'forward', TargetGroupArn: { Ref: id } }],
    });
  });

  test('everything else goes to an HTTP/1.1 target group on the same port', () => {
    const [[id] = ['']] = resourcesOf(template, group).filter(
      ([, { Properties }]) => Properties.ProtocolVersion === 'HTTP1',
    );
    template.hasResourceProperties(rule, {
      Priority: 20,
      Conditions: [{ Field: 'path-pattern', PathPatternConfig: { Values: ['*'] } }],
      Actions: [{ Type: 'forward', TargetGroupArn: { Ref: id } }],
    });
    for (const [, { Properties }] of resourcesOf(template, group)) {
      assert.equal(Properties.Port, 50051);
      assert.equal(Properties.Protocol, 'HTTP');
      assert.equal(Properties.TargetType, 'ip');
    }
  });

  test('the service is registered in both groups', () => {
    const { LoadBalancers: registered } = theOnly(template, 'AWS::ECS::Service').Properties;
    const groups = resourcesOf(template, group).map(([id]) => id);
    assert(Array.isArray(registered));
    assert.deepEqual(registered.map(({ TargetGroupArn }) => TargetGroupArn.Ref).sort(), groups.sort());
    for (const { ContainerPort, AdvancedConfiguration } of registered) {
      assert.equal(ContainerPort, 50051);
      assert.equal(AdvancedConfiguration, undefined);
    }
  });

  test("health is the protocol's own: gRPC's health service with code 0, and /healthz", () => {
    template.hasResourceProperties(group, {
      ProtocolVersion: 'GRPC',
      HealthCheckPath: '/grpc.health.v1.Health/Check',
      Matcher: { GrpcCode: '0' },
    });
    template.hasResourceProperties(group, {
      ProtocolVersion: 'HTTP1',
      HealthCheckPath: '/healthz',
      Matcher: { HttpCode: '200' },
    });
  });

  test('the listener speaks TLS 1.2 and 1.3 on 443, with the certificate', () => {
    template.hasResourceProperties('AWS::ElasticLoadBalancingV2::Listener', {
      Port: 443,
      Protocol: 'HTTPS',
      SslPolicy: 'ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09',
      Certificates: [{ CertificateArn: { Ref: Match.stringLikeRegexp('^ServiceCertificate') } }],
    });
  });
});

describe('lifetimes', () => {
  const attributes = (type: string, key: string) =>
    resourcesOf(template, type).map(([, { Properties }]) => {
      const list = Properties[key];
      assert(Array.isArray(list));
      return Object.fromEntries(list.map(({ Key, Value }) => [Key, Value]));
    });
  const env = environment(template);
  const [balancer = {}] = attributes('AWS::ElasticLoadBalancingV2::LoadBalancer', 'LoadBalancerAttributes');
  const idleMs = Number(balancer['idle_timeout.timeout_seconds']) * 1000;

  test('deadline < idle timeout of the load balancer < idle timeout of the server', () => {
    assert(Number(env.MAX_DEADLINE_MS) < idleMs, `${env.MAX_DEADLINE_MS} < ${idleMs}`);
    assert(idleMs < Number(env.IDLE_TIMEOUT_MS), `${idleMs} < ${env.IDLE_TIMEOUT_MS}`);
  });

  test('a task that leaves keeps its calls for as long as the longest may take', () => {
    for (const group of attributes('AWS::ElasticLoadBalancingV2::TargetGroup', 'TargetGroupAttributes')) {
      assert(Number(group['deregistration_delay.timeout_seconds']) * 1000 >= Number(env.MAX_DEADLINE_MS));
    }
  });

  test('after SIGTERM: health checks notice, calls end, the process exits, and only then comes SIGKILL', () => {
    for (const [, { Properties: group }] of resourcesOf(
      template,
      'AWS::ElasticLoadBalancingV2::TargetGroup',
    )) {
      const interval = Number(group.HealthCheckIntervalSeconds);
      const noticed =
        interval * Number(group.UnhealthyThresholdCount) + Number(group.HealthCheckTimeoutSeconds);
      assert(Number(env.DRAIN_DELAY_MS) >= noticed * 1000);
    }
    const { StopTimeout } = container(template);
    assert(Number(env.DRAIN_DELAY_MS) + Number(env.DRAIN_TIMEOUT_MS) < Number(StopTimeout) * 1000);
    assert(Number(StopTimeout) <= 120);
  });

  test('metadata keys with dots and underscores are not dropped on the way', () => {
    assert.equal(balancer['routing.http.drop_invalid_header_fields.enabled'], 'false');
  });
});

describe('containers', () => {
  test('cannot write to their file system, have no capabilities, and run on ARM', () => {
    const { ReadonlyRootFilesystem, LinuxParameters, User } = container(template);
    assert.equal(ReadonlyRootFilesystem, true);
    assert.deepEqual(LinuxParameters, { Capabilities: { Drop: ['ALL'] } });
    assert.equal(User, undefined, "the image's own user, which is not root");
    template.hasResourceProperties('AWS::ECS::TaskDefinition', {
      Cpu: '256',
      Memory: '512',
      RuntimePlatform: { CpuArchitecture: 'ARM64' },
    });
  });

  test('are told how much memory the task has, by which Node sizes its heap', () => {
    assert.equal(container(template).Memory, 512);
  });

  test('get an environment that the server takes as it is', () => {
    const config = readConfig(environment(template));
    assert.deepEqual([config.host, config.port], ['0.0.0.0', 50051]);
    assert.equal(config.trustedProxies, 1, 'the load balancer');
    assert.deepEqual(config.store, { kind: 'dynamodb', table: 'reference', endpoint: undefined });
    const { limits } = config;
    const own = environment(template);
    assert.equal(limits.maxDeadlineMs, Number(own.MAX_DEADLINE_MS));
    assert.equal(limits.idleTimeoutMs, Number(own.IDLE_TIMEOUT_MS));
    assert.equal(limits.drainDelayMs, Number(own.DRAIN_DELAY_MS));
    assert.equal(limits.drainTimeoutMs, Number(own.DRAIN_TIMEOUT_MS));
  });

  test('log for a month, and never wait for the log', () => {
    template.hasResourceProperties('AWS::Logs::LogGroup', { RetentionInDays: 30 });
    template.hasResourceProperties('AWS::ECS::TaskDefinition', {
      ContainerDefinitions: [
        Match.objectLike({ LogConfiguration: { Options: Match.objectLike({ mode: 'non-blocking' }) } }),
      ],
    });
  });

  test('take calls from the load balancer alone, and reach AWS over HTTPS alone', () => {
    const { Properties } = theOnly(template, 'AWS::EC2::SecurityGroupIngress');
    assert.deepEqual([Properties.FromPort, Properties.ToPort], [50051, 50051]);
    assert.match(JSON.stringify(Properties.SourceSecurityGroupId), /LoadBalancerSecurityGroup/);
    template.hasResourceProperties('AWS::EC2::SecurityGroup', {
      GroupDescription: Match.stringLikeRegexp('^Tasks'),
      SecurityGroupIngress: Match.absent(),
      SecurityGroupEgress: [
        Match.objectLike({ CidrIp: '0.0.0.0/0', FromPort: 443, ToPort: 443, IpProtocol: 'tcp' }),
      ],
    });
  });
});

describe('the service', () => {
  test('goes back to the old version when new tasks fail or calls do', () => {
    template.hasResourceProperties('AWS::ECS::Service', {
      DeploymentConfiguration: {
        MinimumHealthyPercent: 100,
        MaximumPercent: 200,
        DeploymentCircuitBreaker: { Enable: true, Rollback: true },
        Alarms: { AlarmNames: ['Users-roll-back'], Enable: true, Rollback: true },
      },
      // It is auto scaling's, which a deployment must not overrule.
      DesiredCount: Match.absent(),
    });
    template.hasResourceProperties('AWS::CloudWatch::Alarm', { AlarmName: 'Users-roll-back' });
  });

  test('scales from 2 to 10 tasks, on CPU and on requests of every protocol', () => {
    template.hasResourceProperties('AWS::ApplicationAutoScaling::ScalableTarget', {
      MinCapacity: 2,
      MaxCapacity: 10,
    });
    template.hasResourceProperties('AWS::ApplicationAutoScaling::ScalingPolicy', {
      TargetTrackingScalingPolicyConfiguration: {
        PredefinedMetricSpecification: { PredefinedMetricType: 'ECSServiceAverageCPUUtilization' },
        TargetValue: 60,
      },
    });
    template.hasResourceProperties('AWS::ApplicationAutoScaling::ScalingPolicy', {
      TargetTrackingScalingPolicyConfiguration: {
        TargetValue: 6000,
        CustomizedMetricSpecification: {
          Metrics: Match.arrayWith([
            Match.objectLike({ Expression: 'FILL(requests, 0) / (FILL(tasks0, 0))' }),
          ]),
        },
      },
    });
  });

  test('is in a network of two zones without NAT gateways, DynamoDB reached inside it', () => {
    template.resourceCountIs('AWS::EC2::Subnet', 2);
    template.resourceCountIs('AWS::EC2::NatGateway', 0);
    template.hasResourceProperties('AWS::EC2::VPCEndpoint', {
      VpcEndpointType: 'Gateway',
      ServiceName: { 'Fn::Join': ['', Match.arrayWith(['.dynamodb'])] },
    });
    template.hasResourceProperties('AWS::ECS::Service', {
      NetworkConfiguration: { AwsvpcConfiguration: { AssignPublicIp: 'ENABLED' } },
    });
  });
});
