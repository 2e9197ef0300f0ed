// Proves where a service goes that is not alone: into a network, a cluster, or behind a listener that is there; into
// private subnets first; who may call it without the load balancer; and that props which contradict that are refused.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Duration } from 'aws-cdk-lib';
import { Match, type Template } from 'aws-cdk-lib/assertions';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as logs from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import type { Front } from '../../infra/front.ts';
import { GrpcLoadBalancer } from '../../infra/grpc-load-balancer.ts';
import { GrpcService } from '../../infra/grpc-service.ts';
import type { GrpcServiceProps } from '../../infra/grpc-service-props.ts';
import { certificateCode, lookedUp, resourcesOf, templateOf, theOnly, usersTemplate } from './synthesis.ts';

const image = ecs.ContainerImage.fromRegistry('registry.example.com/orders:1');
const own = { image, certificateCode };
const route = { priority: 100, hosts: ['orders.example.com'] };

const assignPublicIp = (template: Template): unknown =>
  JSON.stringify(theOnly(template, 'AWS::ECS::Service').Properties).includes('"AssignPublicIp":"ENABLED"');

/** A listener that was made elsewhere. */
function elsewhere(scope: Construct, vpc: ec2.IVpc): Front {
  const securityGroup = ec2.SecurityGroup.fromSecurityGroupId(scope, 'BalancerGroup', 'sg-0123456789abcdef0');
  const balancer =
    'arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/others/0123456789abcdef';
  return {
    vpc,
    loadBalancer: elbv2.ApplicationLoadBalancer.fromApplicationLoadBalancerAttributes(scope, 'Balancer', {
      loadBalancerArn: balancer,
      securityGroupId: securityGroup.securityGroupId,
    }),
    listener: elbv2.ApplicationListener.fromApplicationListenerAttributes(scope, 'Listener', {
      listenerArn: `${balancer.replace('loadbalancer/', 'listener/')}/0123456789abcdef`,
      securityGroup,
    }),
    idleTimeout: Duration.seconds(60),
  };
}

describe('a network of yours', () => {
  test('has the tasks in private subnets with a way out, and the load balancer in public ones', () => {
    const template = templateOf((scope) => {
      new GrpcService(scope, 'Orders', { ...own, vpc: new ec2.Vpc(scope, 'Vpc', { natGateways: 1 }) });
    });
    const { NetworkConfiguration } = theOnly(template, 'AWS::ECS::Service').Properties;
    assert.match(JSON.stringify(NetworkConfiguration), /PrivateSubnet/);
    assert.equal(assignPublicIp(template), false);
    const { Subnets } = theOnly(template, 'AWS::ElasticLoadBalancingV2::LoadBalancer').Properties;
    assert.match(JSON.stringify(Subnets), /PublicSubnet/);
  });

  test('without private subnets that lead out, tasks are in public ones', () => {
    const template = templateOf((scope) => {
      new GrpcService(scope, 'Orders', { ...own, vpc: new ec2.Vpc(scope, 'Vpc', { natGateways: 0 }) });
    });
    assert.equal(assignPublicIp(template), true);
  });

  test('may come with a cluster', () => {
    const template = templateOf((scope) => {
      const cluster = new ecs.Cluster(scope, 'Mine', { vpc: new ec2.Vpc(scope, 'Vpc') });
      new GrpcService(scope, 'Orders', { ...own, cluster });
    });
    template.resourceCountIs('AWS::ECS::Cluster', 1);
    template.resourceCountIs('AWS::EC2::VPC', 1);
  });

  test('is looked up for the app by vpcId', () => {
    const template = usersTemplate(lookedUp.context);
    template.resourceCountIs('AWS::EC2::VPC', 0);
    template.hasResourceProperties('AWS::ECS::Service', {
      NetworkConfiguration: {
        AwsvpcConfiguration: Match.objectLike({
          AssignPublicIp: 'DISABLED',
          Subnets: ['subnet-00000003', 'subnet-00000004'],
        }),
      },
    });
    template.hasResourceProperties('AWS::ElasticLoadBalancingV2::LoadBalancer', {
      Subnets: ['subnet-00000001', 'subnet-00000002'],
    });
  });
});

describe('a listener that is there', () => {
  const template = templateOf((scope) => {
    const front = elsewhere(scope, new ec2.Vpc(scope, 'Vpc'));
    new GrpcService(scope, 'Orders', { image, front, route, maxDeadline: Duration.seconds(30) });
  });

  test('gets the rules of the service, in two numbers, by its host', () => {
    template.resourceCountIs('AWS::ElasticLoadBalancingV2::LoadBalancer', 0);
    const host = { Field: 'host-header', HostHeaderConfig: { Values: route.hosts } };
    template.hasResourceProperties('AWS::ElasticLoadBalancingV2::ListenerRule', {
      Priority: 100,
      Conditions: [Match.objectLike({ Field: 'http-header' }), host],
    });
    template.hasResourceProperties('AWS::ElasticLoadBalancingV2::ListenerRule', {
      Priority: 101,
      Conditions: [host],
    });
  });

  test('is let in to the tasks, whose own idle time-out is longer than its', () => {
    template.hasResourceProperties('AWS::EC2::SecurityGroupIngress', {
      FromPort: 50051,
      SourceSecurityGroupId: 'sg-0123456789abcdef0',
    });
    const { ContainerDefinitions } = theOnly(template, 'AWS::ECS::TaskDefinition').Properties;
    assert.match(JSON.stringify(ContainerDefinitions), /"IDLE_TIMEOUT_MS","Value":"120000"/);
  });

  test('is named in metrics by its ARN', () => {
    const alarms = JSON.stringify(resourcesOf(template, 'AWS::CloudWatch::Alarm'));
    assert.match(alarms, /"app\/others\/0123456789abcdef"/);
  });
});

test('a canary behind a shared load balancer shifts the calls of its own rules', () => {
  const template = templateOf((scope) => {
    const front = new GrpcLoadBalancer(scope, 'Front', { certificateCode });
    new GrpcService(scope, 'Orders', { image, front, route, deployment: 'canary' });
    new GrpcService(scope, 'Stock', { image, front, route: { priority: 200, paths: ['/stock.*'] } });
  });
  const rules = resourcesOf(template, 'AWS::ElasticLoadBalancingV2::ListenerRule').map(
    ([id, { Properties }]) => {
      return [id.replace(/Targets.*/, ''), JSON.stringify(Properties.Actions).includes('"Weight":100')];
    },
  );
  assert.deepEqual(rules, [
    ['Orders', true],
    ['Orders', true],
    ['Stock', false],
    ['Stock', false],
  ]);
});

describe('what any image may need', () => {
  const template = templateOf((scope) => {
    const namespace = 'shop';
    const orders = new GrpcService(scope, 'Orders', {
      ...own,
      internal: true,
      architecture: ecs.CpuArchitecture.X86_64,
      command: ['serve', '--fast'],
      readonlyRootFilesystem: false,
      http: false,
      health: { grpcPath: '/AWS.ALB/healthcheck', grpcCodes: '12' },
      taskRole: iam.Role.fromRoleName(scope, 'TaskRole', 'orders'),
      faultPattern: logs.FilterPattern.stringValue('$.level', '=', 'error'),
      serviceConnect: { namespace, name: 'orders' },
    });
    const front = new GrpcLoadBalancer(scope, 'Front', { certificateCode, internal: true });
    const health = { httpPath: '/live', httpCodes: '200-299' };
    const shop = new GrpcService(scope, 'Shop', { image, front, health, serviceConnect: { namespace } });
    orders.connections.allowDefaultPortFrom(shop);
    iam.Grant.addToPrincipal({
      grantee: shop,
      actions: ['s3:GetObject'],
      resourceArns: ['arn:aws:s3:::shop/*'],
    });
  });

  test('its processor, command, root, health and faults', () => {
    template.hasResourceProperties('AWS::ECS::TaskDefinition', {
      RuntimePlatform: { CpuArchitecture: 'X86_64' },
      ContainerDefinitions: [
        Match.objectLike({ Command: ['serve', '--fast'], ReadonlyRootFilesystem: false }),
      ],
      TaskRoleArn: Match.objectLike({ 'Fn::Join': Match.anyValue() }),
    });
    const group = 'AWS::ElasticLoadBalancingV2::TargetGroup';
    template.hasResourceProperties(group, {
      HealthCheckPath: '/AWS.ALB/healthcheck',
      Matcher: { GrpcCode: '12' },
    });
    template.hasResourceProperties(group, { HealthCheckPath: '/live', Matcher: { HttpCode: '200-299' } });
    template.hasResourceProperties('AWS::Logs::MetricFilter', { FilterPattern: '{ $.level = "error" }' });
  });

  test('is called by others of a namespace, call by call, and by nobody else', () => {
    template.hasResourceProperties('AWS::ECS::Service', {
      ServiceConnectConfiguration: {
        Enabled: true,
        Namespace: 'shop',
        Services: [
          {
            PortName: 'grpc',
            DiscoveryName: 'orders',
            ClientAliases: [{ DnsName: 'orders', Port: 50051 }],
            // Its proxy cuts no call: deadlines are the server's.
            Timeout: { PerRequestTimeoutSeconds: 0, IdleTimeoutSeconds: 330 },
          },
        ],
      },
    });
    template.hasResourceProperties('AWS::ECS::Service', {
      ServiceConnectConfiguration: { Enabled: true, Namespace: 'shop', Services: Match.absent() },
    });
    template.hasResourceProperties('AWS::ECS::TaskDefinition', {
      ContainerDefinitions: [
        Match.objectLike({ PortMappings: [Match.objectLike({ AppProtocol: 'grpc', Name: 'grpc' })] }),
      ],
    });
    const between = resourcesOf(template, 'AWS::EC2::SecurityGroupIngress').filter(([, { Properties }]) =>
      /ShopTaskSecurityGroup/.test(JSON.stringify(Properties.SourceSecurityGroupId)),
    );
    assert.equal(between.length, 1);
  });

  test('load balancers without public addresses are no way in for the internet', () => {
    for (const [, { Properties }] of resourcesOf(template, 'AWS::ElasticLoadBalancingV2::LoadBalancer'))
      assert.equal(Properties.Scheme, 'internal');
  });
});

test('access logs are written by the principal of every region, to a bucket that takes nobody else', () => {
  const template = usersTemplate({ accessLogs: 'true', zonalShift: 'true' });
  const { LoadBalancerAttributes } = theOnly(
    template,
    'AWS::ElasticLoadBalancingV2::LoadBalancer',
  ).Properties;
  assert(Array.isArray(LoadBalancerAttributes));
  const attributes = Object.fromEntries(LoadBalancerAttributes.map(({ Key, Value }) => [Key, Value]));
  assert.equal(attributes['access_logs.s3.enabled'], 'true');
  assert.equal(attributes['zonal_shift.config.enabled'], 'true');
  template.hasResourceProperties('AWS::S3::BucketPolicy', {
    PolicyDocument: {
      Statement: Match.arrayWith([
        Match.objectLike({
          Action: 's3:PutObject',
          Effect: 'Allow',
          Principal: { Service: 'logdelivery.elasticloadbalancing.amazonaws.com' },
        }),
      ]),
    },
  });
});

describe('refused', () => {
  const refused = (props: (scope: Construct) => Partial<GrpcServiceProps>, reason: RegExp) =>
    assert.throws(
      () => templateOf((scope) => void new GrpcService(scope, 'Orders', { image, ...props(scope) })),
      reason,
    );
  const vpc = (scope: Construct) => new ec2.Vpc(scope, 'Vpc');
  const front = (scope: Construct) => elsewhere(scope, vpc(scope));
  const seconds = { maxDeadline: Duration.seconds(30) };

  test('a second network', () => {
    refused((scope) => {
      const there = front(scope);
      return { ...seconds, front: there, vpc: there.vpc };
    }, /vpc: front has one already/);
    refused(
      (scope) => ({ ...own, vpc: vpc(scope), privateSubnets: true }),
      /privateSubnets shapes the new network/,
    );
  });

  test("a front's own props", () => {
    for (const more of [{ internal: true }, { certificateCode }, { allowedCidrs: ['203.0.113.0/24'] }])
      refused(
        (scope) => ({ ...seconds, ...more, front: front(scope) }),
        /is the front's, which is there already/,
      );
  });

  test('a deadline that the front cuts off', () => {
    refused(
      (scope) => ({ front: front(scope), route }),
      /idleTimeout \(60 seconds\) must be longer than maxDeadline/,
    );
  });

  test('a route without a front, without a condition, or with more than a rule has room for', () => {
    refused(() => ({ ...own, route }), /give the front too/);
    const routed = (given: GrpcServiceProps['route'], reason: RegExp) =>
      refused((scope) => ({ ...seconds, front: front(scope), route: given }), reason);
    routed({ priority: 1 }, /give it hosts or paths/);
    routed({ priority: 1, hosts: [], paths: ['/a.*'] }, /route.hosts is empty: leave it out/);
    routed({ priority: 1, hosts: ['a.example.com'], paths: [] }, /route.paths is empty/);
    routed({ priority: 0, paths: ['/a.*'] }, /must be a whole number from 1/);
    routed(
      { priority: 1, hosts: ['a.example.com'], paths: ['/a.*', '/b.*'] },
      /has 3 hosts and paths, .* room for 2/,
    );
  });

  const routes = (given: Record<string, Partial<GrpcServiceProps>>) => (scope: Construct) => {
    const there = front(scope);
    for (const [id, props] of Object.entries(given)) {
      new GrpcService(scope, id, { ...seconds, image, front: there, ...props });
    }
  };
  const at = (priority: number, path: string) => ({ route: { priority, paths: [path] } });

  test('a priority that another service has, with the two that HTTP takes', () => {
    assert.throws(
      () => templateOf(routes({ Orders: at(10, '/a.*'), Stock: at(11, '/b.*') })),
      /Test\/Stock\/Targets: Test\/Orders\/Targets has the priority 11 .*: a service takes two in a row/,
    );
    const grpc = { http: false };
    templateOf(routes({ Orders: { ...grpc, ...at(10, '/a.*') }, Stock: { ...grpc, ...at(11, '/b.*') } }));
  });

  test('services without a route, which take all requests by the same priorities', () => {
    assert.throws(
      () => templateOf(routes({ Orders: {}, Stock: {} })),
      /Test\/Stock\/Targets: Test\/Orders\/Targets has the priority 10 .* takes all requests, .* 10 and 20: give it a route/,
    );
    assert.throws(
      () => templateOf(routes({ Orders: at(9, '/a.*'), Stock: {} })),
      /without a route Test\/Stock\/Targets takes all requests/,
    );
  });

  test('shares of Spot that are none', () => {
    for (const spotShare of [-1, 101, 0.5])
      refused(() => ({ ...own, spotShare }), /spotShare .* from 0 to 100/);
  });
});
