// Proves that each option of `npx cdk deploy -c NAME=VALUE` changes the template as documented, and that options which
// can't be meant are refused with a sentence that says what to do.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Match } from 'aws-cdk-lib/assertions';
import { readOptions } from '../../infra/context.ts';
import { makeApp, resourcesOf, theOnly, usersTags, usersTemplate, usersWarnings } from './synthesis.ts';

const certificateArn = 'arn:aws:acm:us-east-1:123456789012:certificate/12345678-1234-1234-1234-123456789012';
const domain = { domainName: 'users.example.com', hostedZone: 'Z0123456789ABC' };

describe('options', () => {
  test('domainName with hostedZone: a public certificate, and a record for the load balancer', () => {
    const template = usersTemplate(domain);
    template.hasResourceProperties('AWS::CertificateManager::Certificate', {
      DomainName: 'users.example.com',
      DomainValidationOptions: [{ DomainName: 'users.example.com', HostedZoneId: 'Z0123456789ABC' }],
      ValidationMethod: 'DNS',
    });
    template.hasResourceProperties('AWS::Route53::RecordSet', {
      Name: 'users.example.com.',
      Type: 'A',
      HostedZoneId: 'Z0123456789ABC',
      AliasTarget: Match.objectLike({
        HostedZoneId: { 'Fn::GetAtt': [Match.anyValue(), 'CanonicalHostedZoneID'] },
      }),
    });
    template.resourceCountIs('Custom::SelfIssuedCertificate', 0);
    template.resourceCountIs('AWS::Lambda::Function', 0);
    template.hasOutput('Endpoint', { Value: 'https://users.example.com' });
  });

  test('domainName with certificateArn: that certificate, and nothing made for it', () => {
    const template = usersTemplate({ domainName: 'users.example.com', certificateArn });
    template.hasResourceProperties('AWS::ElasticLoadBalancingV2::Listener', {
      Certificates: [{ CertificateArn: certificateArn }],
    });
    template.resourceCountIs('AWS::CertificateManager::Certificate', 0);
    template.resourceCountIs('AWS::Route53::RecordSet', 0);
    template.hasOutput('Endpoint', { Value: 'https://users.example.com' });
  });

  test('privateSubnets: tasks without public addresses, which reach AWS through endpoints', () => {
    const template = usersTemplate({ privateSubnets: 'true' });
    template.hasResourceProperties('AWS::ECS::Service', {
      NetworkConfiguration: { AwsvpcConfiguration: { AssignPublicIp: 'DISABLED' } },
    });
    template.resourceCountIs('AWS::EC2::NatGateway', 0);
    const endpoints = resourcesOf(template, 'AWS::EC2::VPCEndpoint').map(([id, { Properties }]) => [
      id.replace(/^ServiceNetworkVpc(\w+)[0-9A-F]{8}$/, '$1'),
      Properties.VpcEndpointType,
    ]);
    assert.deepEqual(Object.fromEntries(endpoints), {
      DynamoDb: 'Gateway',
      S3: 'Gateway',
      EcrApi: 'Interface',
      EcrDocker: 'Interface',
      Logs: 'Interface',
      Secrets: 'Interface',
    });
  });

  test('privateSubnets: tasks start when the endpoints are there that they need', () => {
    for (const privateSubnets of ['true', 'added']) {
      const template = usersTemplate({ privateSubnets });
      const [[, service] = assert.fail('no service')] = Object.entries(
        template.findResources('AWS::ECS::Service'),
      );
      for (const [id] of resourcesOf(template, 'AWS::EC2::VPCEndpoint'))
        assert(service.DependsOn.includes(id), `${privateSubnets}: ${id}`);
    }
  });

  test('privateSubnets=added: nothing of a network that is there changes, but for what is added', () => {
    const [before, after] = [usersTemplate({}), usersTemplate({ privateSubnets: 'added' })];
    for (const type of ['AWS::EC2::VPC', 'AWS::EC2::Subnet', 'AWS::EC2::RouteTable', 'AWS::EC2::Route']) {
      const now = new Map(resourcesOf(after, type));
      for (const [id, resource] of resourcesOf(before, type))
        assert.deepEqual(now.get(id)?.Properties, resource.Properties, id);
    }
    const ranges = resourcesOf(after, 'AWS::EC2::Subnet').map(([, { Properties }]) => Properties.CidrBlock);
    assert.deepEqual(ranges.sort(), ['10.0.0.0/17', '10.0.128.0/17', '10.1.0.0/17', '10.1.128.0/17']);
    after.hasResourceProperties('AWS::EC2::VPCCidrBlock', { CidrBlock: '10.1.0.0/16' });
    after.hasResourceProperties('AWS::ECS::Service', {
      NetworkConfiguration: { AwsvpcConfiguration: { AssignPublicIp: 'DISABLED' } },
    });
    const tables = resourcesOf(after, 'AWS::EC2::RouteTable').length;
    for (const [id, { Properties }] of resourcesOf(after, 'AWS::EC2::VPCEndpoint')) {
      const text = JSON.stringify(Properties);
      if (Properties.VpcEndpointType === 'Gateway')
        assert(Array.isArray(Properties.RouteTableIds) && Properties.RouteTableIds.length === tables, id);
      else assert.match(text, /TasksSubnet1.+TasksSubnet2/, id);
    }
    const open = resourcesOf(after, 'AWS::EC2::SecurityGroup').filter(([, { Properties }]) =>
      JSON.stringify(Properties).includes('"CidrIp":"10.1.0.0/16"'),
    );
    assert.equal(open.length, 4, 'each endpoint is open to the tasks');
  });

  test('cpu, memoryMiB, minTasks, maxTasks: the size of a task and how many', () => {
    const template = usersTemplate({ cpu: '1024', memoryMiB: '2048', minTasks: '3', maxTasks: '30' });
    template.hasResourceProperties('AWS::ECS::TaskDefinition', {
      Cpu: '1024',
      Memory: '2048',
      ContainerDefinitions: [Match.objectLike({ Memory: 2048 })],
    });
    template.hasResourceProperties('AWS::ApplicationAutoScaling::ScalableTarget', {
      MinCapacity: 3,
      MaxCapacity: 30,
    });
  });

  test('deployment=canary: ECS shifts a tenth of the calls of both protocols first', () => {
    const template = usersTemplate({ deployment: 'canary' });
    const { LoadBalancers: registered, DeploymentConfiguration: deployment } = theOnly(
      template,
      'AWS::ECS::Service',
    ).Properties;
    assert.partialDeepStrictEqual(deployment, {
      Strategy: 'CANARY',
      CanaryConfiguration: { CanaryPercent: 10, CanaryBakeTimeInMinutes: 10 },
      BakeTimeInMinutes: 10,
      Alarms: { AlarmNames: ['Users-roll-back'], Enable: true, Rollback: true },
    });
    assert(Array.isArray(registered) && registered.length === 2);
    const rules = new Map(resourcesOf(template, 'AWS::ElasticLoadBalancingV2::ListenerRule'));
    const versions = new Map(
      resourcesOf(template, 'AWS::ElasticLoadBalancingV2::TargetGroup').map(([id, { Properties }]) => [
        id,
        Properties.ProtocolVersion,
      ]),
    );
    for (const { TargetGroupArn: group, AdvancedConfiguration: alternate } of registered) {
      // Both groups of a pair speak the same protocol, and the rule leads to both, all calls to the first.
      assert.equal(versions.get(group.Ref), versions.get(alternate.AlternateTargetGroupArn.Ref));
      assert.notEqual(group.Ref, alternate.AlternateTargetGroupArn.Ref);
      assert.match(JSON.stringify(alternate.RoleArn), /TrafficShiftingRole/);
      assert.partialDeepStrictEqual(rules.get(alternate.ProductionListenerRule.Ref)?.Properties.Actions, [
        {
          Type: 'forward',
          ForwardConfig: {
            TargetGroups: [
              { TargetGroupArn: group, Weight: 100 },
              { TargetGroupArn: alternate.AlternateTargetGroupArn, Weight: 0 },
            ],
          },
        },
      ]);
    }
    // Scaling counts the tasks wherever the deployment has put them.
    template.hasResourceProperties('AWS::ApplicationAutoScaling::ScalingPolicy', {
      TargetTrackingScalingPolicyConfiguration: {
        CustomizedMetricSpecification: {
          Metrics: Match.arrayWith([
            Match.objectLike({ Expression: 'FILL(requests, 0) / (FILL(tasks0, 0) + FILL(tasks1, 0))' }),
          ]),
        },
      },
    });
  });

  test('deployment=canary: each step is longer than the alarm needs that rolls it back', () => {
    const template = usersTemplate({ deployment: 'canary' });
    const [, alarm] =
      resourcesOf(template, 'AWS::CloudWatch::Alarm').find(
        ([, { Properties }]) => Properties.AlarmName === 'Users-roll-back',
      ) ?? assert.fail('no alarm');
    const [, seconds] = /"Period":(\d+)/.exec(JSON.stringify(alarm)) ?? [];
    // Figures of a minute may be there two minutes later.
    const needed = (Number(alarm.Properties.EvaluationPeriods) * Number(seconds)) / 60 + 2;
    const { DeploymentConfiguration: deployment } = theOnly(template, 'AWS::ECS::Service').Properties;
    const { CanaryConfiguration, BakeTimeInMinutes } = JSON.parse(JSON.stringify(deployment));
    for (const minutes of [CanaryConfiguration.CanaryBakeTimeInMinutes, BakeTimeInMinutes])
      assert(Number(minutes) > needed, `${minutes} > ${needed}`);
  });

  test('deployment=canary: is experimental, and says which check to run first', () => {
    assert.match(usersWarnings({ deployment: 'canary' }).join(), /experimental.+docs\/operating\.md/);
    assert.match(usersWarnings({ cpu: '4096', memoryMiB: '8192' }).join(), /cpu=4096: .*calls on one vCPU/);
    assert.deepEqual(usersWarnings({ cpu: '1024', memoryMiB: '2048' }), []);
    assert.deepEqual(usersWarnings({}), []);
  });

  test('edge: tasks know that CloudFront stands before the load balancer', () => {
    const definition = (context: Record<string, unknown>) =>
      JSON.stringify(theOnly(usersTemplate(context), 'AWS::ECS::TaskDefinition').Properties);
    assert.match(definition({ ...domain, edge: 'true' }), /\{"Name":"TRUSTED_PROXIES","Value":"2"\}/);
    assert.match(definition(domain), /\{"Name":"TRUSTED_PROXIES","Value":"1"\}/);
  });

  test('edge: the load balancer takes no request that CloudFront has not marked', () => {
    const template = usersTemplate({ ...domain, edge: 'true' });
    const [[secret] = assert.fail('no secret')] = resourcesOf(template, 'AWS::SecretsManager::Secret').filter(
      ([id]) => id.startsWith('EdgeProof'),
    );
    const value = {
      'Fn::Join': ['', ['{{resolve:secretsmanager:', { Ref: secret }, ':SecretString:::}}']],
    };
    const rules = resourcesOf(template, 'AWS::ElasticLoadBalancingV2::ListenerRule');
    assert.equal(rules.length, 2);
    for (const [id, { Properties }] of rules) {
      assert(Array.isArray(Properties.Conditions));
      const condition = { HttpHeaderName: 'x-origin-proof', Values: [value] };
      assert.deepEqual(
        Properties.Conditions.at(-1),
        { Field: 'http-header', HttpHeaderConfig: condition },
        id,
      );
    }
    const OriginCustomHeaders = [{ HeaderName: 'x-origin-proof', HeaderValue: value }];
    template.hasResourceProperties('AWS::CloudFront::Distribution', {
      DistributionConfig: { Origins: [Match.objectLike({ OriginCustomHeaders })] },
    });
    // CloudFront shows it before the rules ask for it.
    for (const rule of Object.values(template.findResources('AWS::ElasticLoadBalancingV2::ListenerRule')))
      assert(
        rule.DependsOn.some((it: string) => it.startsWith('EdgeDistribution')),
        JSON.stringify(rule.DependsOn),
      );
    template.hasResourceProperties('AWS::ElasticLoadBalancingV2::Listener', {
      DefaultActions: [Match.objectLike({ FixedResponseConfig: Match.objectLike({ StatusCode: '404' }) })],
    });
  });

  describe('edge: a name of your own', () => {
    const edgeCertificateArn = certificateArn;
    const own = { edge: 'true', edgeName: 'api.example.com', edgeCertificateArn };

    test('has its certificate, and by hostedZone its records', () => {
      const template = usersTemplate({ ...domain, ...own });
      template.hasResourceProperties('AWS::CloudFront::Distribution', {
        DistributionConfig: {
          Aliases: ['api.example.com'],
          ViewerCertificate: {
            AcmCertificateArn: edgeCertificateArn,
            MinimumProtocolVersion: 'TLSv1.2_2025',
            SslSupportMethod: 'sni-only',
          },
        },
      });
      template.hasOutput('Endpoint', { Value: 'https://api.example.com' });
      const DNSName = { 'Fn::GetAtt': [Match.stringLikeRegexp('^EdgeDistribution'), 'DomainName'] };
      for (const Type of ['A', 'AAAA'])
        template.hasResourceProperties('AWS::Route53::RecordSet', {
          Type,
          Name: 'api.example.com.',
          HostedZoneId: domain.hostedZone,
          AliasTarget: Match.objectLike({ DNSName }),
        });
      assert.deepEqual(template.findOutputs('EdgeTarget'), {});
    });

    test('without hostedZone you make the record, to what an output tells', () => {
      const template = usersTemplate({ domainName: 'users.example.com', certificateArn, ...own });
      assert.deepEqual(resourcesOf(template, 'AWS::Route53::RecordSet'), []);
      template.hasOutput('EdgeTarget', {
        Value: { 'Fn::GetAtt': [Match.stringLikeRegexp('^EdgeDistribution'), 'DomainName'] },
      });
    });
  });

  test('edge: CloudFront with gRPC, every method, nothing cached, HTTPS to the domain', () => {
    const template = usersTemplate({ ...domain, edge: 'true' });
    template.hasResourceProperties('AWS::CloudFront::Distribution', {
      DistributionConfig: {
        HttpVersion: 'http2',
        DefaultCacheBehavior: {
          GrpcConfig: { Enabled: true },
          AllowedMethods: Match.arrayWith(['POST']),
          CachePolicyId: '4135ea2d-6df8-44a3-9df3-4b5a84be39ad', // Managed-CachingDisabled
          OriginRequestPolicyId: 'b689b0a8-53d0-40ab-baf2-68738e2966ac', // Managed-AllViewerExceptHostHeader
          ViewerProtocolPolicy: 'https-only',
        },
        Origins: [
          Match.objectLike({
            DomainName: 'users.example.com',
            CustomOriginConfig: Match.objectLike({
              OriginProtocolPolicy: 'https-only',
              OriginReadTimeout: 60,
            }),
          }),
        ],
      },
    });
    template.hasOutput('Endpoint', {
      Value: {
        'Fn::Join': ['', ['https://', { 'Fn::GetAtt': [Match.stringLikeRegexp('^Edge'), 'DomainName'] }]],
      },
    });
  });

  test('alarmTopicArn: every alarm, and its end, is sent there', () => {
    const topic = 'arn:aws:sns:us-east-1:123456789012:alarms';
    for (const [id, { Properties }] of resourcesOf(
      usersTemplate({ alarmTopicArn: topic }),
      'AWS::CloudWatch::Alarm',
    )) {
      assert.deepEqual([Properties.AlarmActions, Properties.OKActions], [[topic], [topic]], id);
    }
  });

  test('stage: a name for everything whose name must be its own, and a tag', () => {
    assert.deepEqual(usersTags({ stage: 'test', tags: 'team=payments,cost-center=4=2' }), {
      stackName: 'Users-test',
      stage: 'test',
      team: 'payments',
      'cost-center': '4=2',
    });
    assert.deepEqual(usersTags({}), { stackName: 'Users' });
    const template = usersTemplate({ stage: 'test' });
    template.hasResourceProperties('AWS::CloudWatch::Alarm', { AlarmName: 'Users-test-roll-back' });
    template.hasResourceProperties('Custom::SelfIssuedCertificate', {
      AuthorityPrefix: '/self-issued/Users-test/Certificate',
    });
    template.hasResourceProperties('AWS::Logs::MetricFilter', {
      MetricTransformations: [Match.objectLike({ MetricNamespace: 'Users-test/Service' })],
    });
  });

  test('protected: the load balancer, whose name is the endpoint, can not be deleted', () => {
    const attributes = (context: Record<string, unknown>) =>
      JSON.stringify(theOnly(usersTemplate(context), 'AWS::ElasticLoadBalancingV2::LoadBalancer').Properties);
    const protection = (is: boolean) => `{"Key":"deletion_protection.enabled","Value":"${is}"}`;
    assert(attributes({ protected: 'true' }).includes(protection(true)));
    assert(attributes({}).includes(protection(false)));
  });

  test('disposable: the log goes too; otherwise it outlives a first deployment that fails', () => {
    const policy = (context: Record<string, unknown>) =>
      resourcesOf(usersTemplate(context), 'AWS::Logs::LogGroup')
        .filter(([id]) => id.startsWith('ServiceLog'))
        .map(([, it]) => it.DeletionPolicy);
    assert.deepEqual(policy({}), ['Retain']);
    assert.deepEqual(policy({ disposable: 'true' }), ['Delete']);
  });

  test('baseImage: the image is built on it', () => {
    const image = (context: Record<string, unknown>) =>
      JSON.stringify(
        theOnly(usersTemplate(context), 'AWS::ECS::TaskDefinition').Properties.ContainerDefinitions,
      );
    // The build argument is part of the asset's digest, which the template names.
    assert.notEqual(image({ baseImage: 'localhost/nodejs24:local' }), image({}));
  });
});

describe('options that can not be meant', () => {
  const refused: [Record<string, unknown>, RegExp][] = [
    [{ domainName: 'users.example.com' }, /domainName needs hostedZone .*, or certificateArn/],
    [{ hostedZone: 'Z0123456789ABC' }, /hostedZone needs domainName/],
    [{ certificateArn }, /certificateArn needs domainName/],
    [{ ...domain, certificateArn }, /give either it or certificateArn/],
    [{ edge: 'true' }, /edge needs domainName/],
    [{ edgeName: 'api.example.com' }, /edgeName is for CloudFront: .*\nedgeName needs edgeCertificateArn/],
    [{ edgeCertificateArn: certificateArn }, /edgeCertificateArn needs edgeName/],
    [
      { edgeCertificateArn: certificateArn.replace('us-east-1', 'eu-west-1') },
      /edgeCertificateArn must be .* in us-east-1/,
    ],
    [
      { ...domain, edge: 'true', edgeName: 'Users.example.com', edgeCertificateArn: certificateArn },
      /edgeName must be another name than domainName/,
    ],
    [{ domainName: 'localhost', hostedZone: 'Z1' }, /domainName must be a name such as/],
    [{ ...domain, hostedZone: 'example.com' }, /hostedZone must be the id of a Route 53 hosted zone/],
    [{ deployment: 'blue' }, /deployment must be rolling or canary, not "blue"/],
    [{ privateSubnets: 'yes' }, /privateSubnets must be true or false, or added, not "yes"/],
    [{ cpu: 'much' }, /cpu must be a whole number, not "much"/],
    [{ allowedCidr: '203.0.113.0/24' }, /^allowedCidr is no option: did you mean allowedCidrs\?$/],
    [{ domainname: 'users.example.com' }, /^domainname is no option: did you mean domainName\?$/],
    [{ mintasks: '5' }, /^mintasks is no option: did you mean minTasks\?$/],
    [{ deploymnet: 'canary' }, /^deploymnet is no option: did you mean deployment\?$/],
    [{ 'min-tasks': '5' }, /^min-tasks is no option: did you mean minTasks\?$/],
    [{ min_tasks: '5' }, /^min_tasks is no option: did you mean minTasks\?$/],
    [{ colour: 'red' }, /^colour is no option: use home, auth, .*, allowedCidrs, /],
    [{ stage: 'a_b' }, /stage must be letters, digits and hyphens/],
    [{ tags: 'team' }, /tags must be tags such as team=payments/],
    [{ tags: 'aws:x=y' }, /tags must be/],
    [{ stage: 'prod', tags: 'stage=other' }, /tags: the tag stage is that of the option, prod/],
    [{ protected: 'true', disposable: 'true' }, /leave one of them out/],
    [{ alarmTopicArn: 'me@example.com' }, /alarmTopicArn must be the ARN of an SNS topic/],
  ];
  for (const [context, message] of refused) {
    test(JSON.stringify(context), () => {
      assert.throws(() => readOptions(makeApp(context).node), { message });
    });
  }

  test('vpcId without credentials: what to give, and no trace', () => {
    const app = fileURLToPath(new URL('../../infra/app.ts', import.meta.url));
    const { CDK_DEFAULT_ACCOUNT: _, ...env } = process.env;
    const context = { CDK_CONTEXT_JSON: JSON.stringify({ vpcId: 'vpc-0123456789abcdef0' }) };
    const { status, stderr } = spawnSync(process.execPath, [app], {
      encoding: 'utf8',
      env: { ...env, ...context },
    });
    assert.equal(status, 1);
    assert.match(stderr, /^vpcId is looked up in your account: .* credentials .*AWS_REGION\)\n$/);
  });

  test("context of CDK's own is none of the options", () => {
    const context = {
      '@aws-cdk/core:x': true,
      'aws:cdk:y': true,
      'availability-zones:account=1': [],
      'acknowledged-issue-numbers': [],
    };
    assert.doesNotThrow(() => readOptions(makeApp(context).node));
  });

  test('what is refused still counts as given', () => {
    const domainName = 'a.example.com';
    const linesOf: [Record<string, unknown>, RegExp][] = [
      [
        { domainName, certificateArn: 'foo' },
        /^certificateArn must be the ARN of a certificate in ACM, not "foo"$/,
      ],
      [{ domainName, hostedZone: 'foo' }, /^hostedZone must be [^\n]*, not "foo"$/],
      [{ domainName: 'foo', certificateArn, edge: 'true' }, /^domainName must be [^\n]*, not "foo"$/],
    ];
    for (const [context, message] of linesOf) {
      assert.throws(() => readOptions(makeApp(context).node), { message });
    }
  });

  test('all of them are told at once', () => {
    const context = { cpu: 'much', edge: 'true', disposable: 'maybe' };
    assert.throws(
      () => readOptions(makeApp(context).node),
      ({ message }: Error) => message.split('\n').length === 3,
    );
  });
});
