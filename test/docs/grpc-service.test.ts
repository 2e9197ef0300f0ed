// Proves that docs/grpc-service.md says what is so: its code synthesises, its figures are those that
// infra/alternatives.ts calculates, its commands are options of a rehearsal, and what it says of images, alarms and
// costs is what the examples make.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { Stack, Validations } from 'aws-cdk-lib';
import * as acm from 'aws-cdk-lib/aws-certificatemanager';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as s3 from 'aws-cdk-lib/aws-s3';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import * as sns from 'aws-cdk-lib/aws-sns';
import { AwsSolutionsChecks } from 'cdk-nag';
import { alternatives } from '../../infra/alternatives.ts';
import { GrpcLoadBalancer } from '../../infra/grpc-load-balancer.ts';
import { GrpcService } from '../../infra/grpc-service.ts';
import { readOptions } from '../../rehearsal/options.ts';
import { exampleTemplate } from '../infra/example-templates.ts';
import { certificateCode, makeApp, resourcesOf } from '../infra/synthesis.ts';
import { blocksOf } from './blocks.ts';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const page = read('docs/grpc-service.md');
const blocks = blocksOf('docs/grpc-service.md');

/** What the code of the page takes for granted, in a stack. */
function given(stack: Stack) {
  const vpc = new ec2.Vpc(stack, 'Vpc', { natGateways: 1 });
  Validations.of(vpc).acknowledge({ id: 'AwsSolutions-VPC7', reason: 'It is for a test.' });
  return {
    stack,
    ec2,
    ecs,
    GrpcService,
    GrpcLoadBalancer,
    vpc,
    image: ecs.ContainerImage.fromRegistry('registry.example.com/orders:1'),
    certificate: acm.Certificate.fromCertificateArn(
      stack,
      'Given',
      'arn:aws:acm:us-east-1:123456789012:certificate/12345678-1234-1234-1234-123456789012',
    ),
    secret: secretsmanager.Secret.fromSecretNameV2(stack, 'Secret', 'orders'),
    role: iam.Role.fromRoleName(stack, 'Role', 'orders'),
    topic: sns.Topic.fromTopicArn(stack, 'Topic', 'arn:aws:sns:us-east-1:123456789012:alarms'),
    bucket: s3.Bucket.fromBucketName(stack, 'Bucket', 'orders-logs'),
  };
}

describe('its code synthesises, without a finding of cdk-nag', () => {
  for (const { section, text } of blocks.filter(({ language }) => language === 'ts')) {
    test(section, () => {
      const app = makeApp();
      const stack = new Stack(app, 'Test');
      const names = given(stack);
      const code = text
        .replace("ecs.ContainerImage.fromAsset('orders')", 'image')
        .replace("'dist/certificate'", JSON.stringify(certificateCode));
      new Function(...Object.keys(names), code)(...Object.values(names));
      Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
      app.synth();
    });
  }
});

test('its table is what is calculated', () => {
  assert(
    page.includes(alternatives()),
    'run `npx node infra/alternatives.ts` and put its table into docs/grpc-service.md',
  );
});

test('a rehearsal takes its commands, and the stacks are those of the examples', () => {
  const shell =
    blocks
      .find(({ language }) => language === 'sh')
      ?.text.replaceAll('\\\n', ' ')
      .replaceAll('$(uname -m)', 'x86_64') ?? '';
  const commands = [...shell.matchAll(/npm run rehearse -- (.+)/g)].map(([, args = '']) =>
    [...args.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, word]) => quoted ?? word ?? ''),
  );
  const rehearsed = commands.map((args) => readOptions(args));
  assert.deepEqual(
    rehearsed.map(({ stack }) => stack),
    ['Hello', 'Shop'],
  );
  for (const { app, calls } of rehearsed) {
    assert.equal(app, 'npx node infra/examples/app.ts');
    for (const path of calls) {
      const [, service = ''] = path.split('/');
      const stacks = [read('infra/examples/hello-stack.ts'), read('infra/examples/shop-stack.ts')].join();
      assert(stacks.includes(`SERVICE: '${service}'`), service);
    }
  }
});

test('the example owes what an image owes, and the page counts its alarms', () => {
  const server = read('infra/examples/hello/main.go');
  for (const [, name = ''] of page.matchAll(/`([A-Z]+_[A-Z_]+_MS)`/g)) {
    if (name !== 'IDLE_TIMEOUT_MS') assert(server.includes(name), name); // grpc-go closes no idle connection
  }
  assert(server.includes('"fault"'));
  assert.equal(resourcesOf(exampleTemplate('Hello'), 'AWS::CloudWatch::Alarm').length, 8);
  assert.match(page, /eight\s+alarms/);
  assert(server.split('\n').length <= 150);
});
