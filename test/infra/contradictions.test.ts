// Proves that GrpcService refuses props that contradict each other with a sentence that says what to do, and that it
// takes another team's image, network and certificate.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Stack } from 'aws-cdk-lib';
import * as acm from 'aws-cdk-lib/aws-certificatemanager';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as sns from 'aws-cdk-lib/aws-sns';
import * as ssm from 'aws-cdk-lib/aws-ssm';
import type { Construct } from 'constructs';
import { GrpcService } from '../../infra/grpc-service.ts';
import type { GrpcServiceProps } from '../../infra/grpc-service-props.ts';
import { certificateCode, templateOf, theOnly } from './synthesis.ts';

const image = ecs.ContainerImage.fromRegistry('example.com/greeter:1');
const certificateArn = 'arn:aws:acm:us-east-1:123456789012:certificate/12345678-1234-1234-1234-123456789012';
const secret = ecs.Secret.fromSsmParameter(
  ssm.StringParameter.fromSecureStringParameterAttributes(new Stack(), 'Key', { parameterName: '/key' }),
);
const telemetry = { kind: 'adot', traceRatio: 0.01, traceParents: 'link' } as const;
const vpc = (scope: Construct) => new ec2.Vpc(scope, 'Vpc', { maxAzs: 2 });
const certificate = (scope: Construct) => acm.Certificate.fromCertificateArn(scope, 'Theirs', certificateArn);

describe('refused', () => {
  const refused: [string, (scope: Construct) => Partial<GrpcServiceProps>, RegExp][] = [
    [
      'a vpc and privateSubnets',
      (scope) => ({ vpc: vpc(scope), privateSubnets: true }),
      /choose subnets of your vpc with taskSubnets/,
    ],
    [
      'taskSubnets without a vpc',
      () => ({ taskSubnets: { subnetType: ec2.SubnetType.PUBLIC } }),
      /give the vpc too, or set privateSubnets/,
    ],
    [
      'no certificate, and nothing to issue one',
      () => ({ certificateCode: undefined }),
      /set certificateCode .*, or give a certificate/,
    ],
    [
      'a certificate, and the means to issue one',
      (scope) => ({ certificate: certificate(scope) }),
      /leave it out, or leave out certificate/,
    ],
    [
      'no tasks',
      () => ({ minTasks: 0 }),
      /minTasks \(0\) and maxTasks \(10\) must be whole numbers, at least 1/,
    ],
    ['more tasks than the most', () => ({ minTasks: 11 }), /the first not larger/],
    ['more tasks than anybody means', () => ({ maxTasks: 101 }), /maxTasks \(101\) must be at most 100/],
    [
      'a client that is no network',
      () => ({ allowedCidrs: ['203.0.113.0/24', 'me'] }),
      /allowedCidrs \(me\) must be networks of IPv4/,
    ],
    ['nobody that may connect', () => ({ allowedCidrs: [] }), /allowedCidrs lets nobody in/],
    [
      'a secret that is in the environment too',
      () => ({ environment: { KEY: 'a' }, secrets: { KEY: secret } }),
      /secrets.KEY is in the environment already/,
    ],
    ['half a task', () => ({ maxTasks: 2.5 }), /must be whole numbers/],
    ['cpu that Fargate lacks', () => ({ cpu: 300 }), /cpu \(300\) must be one of 256, 512, 1024/],
    [
      'memory that does not go with the cpu',
      () => ({ memoryMiB: 4096 }),
      /memoryMiB \(4096\) must be 512, 1024, 2048 with cpu 256/,
    ],
    [
      'memory between the sizes that Fargate has',
      () => ({ memoryMiB: 1536 }),
      /memoryMiB \(1536\) must be 512, 1024, 2048 with cpu 256/,
    ],
    [
      'memory that is too little for a larger cpu',
      () => ({ cpu: 8192, memoryMiB: 17_408 }),
      /must be 16384 to 61440 in steps of 4096 with cpu 8192/,
    ],
    [
      'no proxy, where the load balancer is one',
      () => ({ trustedProxies: 0 }),
      /trustedProxies \(0\) must be 1 to 16/,
    ],
    [
      'proxies in the environment',
      () => ({ environment: { TRUSTED_PROXIES: '2' } }),
      /environment.TRUSTED_PROXIES is set by the construct: leave it out; set trustedProxies/,
    ],
    [
      'a port in the environment',
      () => ({ environment: { PORT: '80' } }),
      /environment.PORT is set by the construct: leave it out; set containerPort/,
    ],
    [
      'lifetimes in the environment',
      () => ({ environment: { DRAIN_DELAY_MS: '1' } }),
      /environment.DRAIN_DELAY_MS is set by the construct/,
    ],
    [
      'a name where there is no telemetry',
      () => ({ telemetryName: 'Greeter' }),
      /telemetryName is for telemetry: set that too/,
    ],
    [
      'lines of failed calls that nobody watches',
      () => ({ watch: false, faultPattern: logs.FilterPattern.allTerms('error') }),
      /faultPattern is for what watch makes/,
    ],
    [
      'who hears of alarms that nobody makes',
      (scope) => ({ watch: false, alarmTopic: new sns.Topic(scope, 'Topic') }),
      /alarmTopic is for what watch makes/,
    ],
    [
      'a health check by HTTP without HTTP',
      () => ({ http: false, health: { httpPath: '/live' } }),
      /health.httpPath is for HTTP\/1.1: leave it out/,
    ],
    [
      'statuses of HTTP without HTTP',
      () => ({ http: false, health: { httpCodes: '200-299' } }),
      /health.httpCodes is for HTTP\/1.1/,
    ],
    [
      'a collector whose image is out of reach',
      () => ({ telemetry, privateSubnets: true }),
      /'adot' and privateSubnets: .* take 'otlp'/,
    ],
    [
      'a collector whose image is out of reach of added subnets',
      () => ({ telemetry, privateSubnets: 'added' }),
      /'adot' and privateSubnets/,
    ],
    [
      'a proof that any text is',
      () => ({ requiredHeader: { name: 'x-proof', value: 'a*' } }),
      /requiredHeader.value must have no \* and \?/,
    ],
    [
      'a proof with a letter that any letter is',
      () => ({ requiredHeader: { name: 'x-proof', value: 'a?c' } }),
      /requiredHeader.value must have no/,
    ],
    [
      'a task for no request',
      () => ({ requestsPerTaskAndMinute: 0 }),
      /requestsPerTaskAndMinute \(0\) must be at least 1/,
    ],
    [
      "HTTP/1.1 by Service Connect's way for gRPC",
      () => ({ serviceConnect: { namespace: 'shop', name: 'greeter' } }),
      /serviceConnect.name needs http: false/,
    ],
  ];
  for (const [name, props, message] of refused) {
    test(name, () => {
      const make = (scope: Construct) =>
        new GrpcService(scope, 'Greeter', { image, certificateCode, ...props(scope) });
      assert.throws(() => templateOf(make), { name: 'RangeError', message });
    });
  }
});

test("another team's image, port, network and certificate", () => {
  const template = templateOf((scope) => {
    new GrpcService(scope, 'Greeter', {
      image,
      containerPort: 8080,
      environment: { GREETING: 'hello' },
      vpc: vpc(scope),
      taskSubnets: { subnetType: ec2.SubnetType.PRIVATE_WITH_EGRESS },
      certificate: certificate(scope),
    });
  });
  template.resourceCountIs('AWS::EC2::VPC', 1);
  template.resourceCountIs('AWS::Lambda::Function', 0);
  template.allResourcesProperties('AWS::ElasticLoadBalancingV2::TargetGroup', { Port: 8080 });
  template.hasResourceProperties('AWS::ECS::Service', {
    NetworkConfiguration: { AwsvpcConfiguration: { AssignPublicIp: 'DISABLED' } },
  });
  const definition = JSON.stringify(theOnly(template, 'AWS::ECS::TaskDefinition').Properties);
  for (const part of [
    '"example.com/greeter:1"',
    '{"Name":"PORT","Value":"8080"}',
    '{"Name":"GREETING","Value":"hello"}',
  ]) {
    assert(definition.includes(part), part);
  }
});
