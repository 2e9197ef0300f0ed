// Proves that docs/grpc-service.md says what is so: its code synthesises, its figures are those that
// infra/alternatives.ts calculates, its commands are options of a rehearsal, and what it says of images, alarms and
// costs is what the examples make.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { type App, CfnOutput, Duration, Stack, Validations } from 'aws-cdk-lib';
import * as acm from 'aws-cdk-lib/aws-certificatemanager';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import { Platform } from 'aws-cdk-lib/aws-ecr-assets';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as s3 from 'aws-cdk-lib/aws-s3';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import * as sns from 'aws-cdk-lib/aws-sns';
import { AwsSolutionsChecks } from 'cdk-nag';
import { alternatives } from '../../infra/alternatives.ts';
import { GrpcLoadBalancer } from '../../infra/grpc-load-balancer.ts';
import { GrpcService } from '../../infra/grpc-service.ts';
import { made, serviceMonth } from '../../infra/standing-costs.ts';
import { readOptions } from '../../rehearsal/options.ts';
import { exampleTemplate } from '../infra/example-templates.ts';
import { certificateCode, makeApp, resourcesOf } from '../infra/synthesis.ts';
import { blocksOf } from './blocks.ts';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const page = read('docs/grpc-service.md');
const blocks = blocksOf('docs/grpc-service.md');

const registered = ecs.ContainerImage.fromRegistry('registry.example.com/orders:1');

/**
 * Stands in for an image of a folder, which is built for the processor of the tasks, ARM64 unless they say otherwise.
 */
function fromAsset(folder: string, props?: { platform?: Platform }): ecs.ContainerImage {
  assert.equal(props?.platform, Platform.LINUX_ARM64, `${folder} is built for the machine that deploys`);
  return registered;
}

/** What the code of the page takes for granted, in an app and a stack. */
function given(app: App, stack: Stack) {
  const vpc = new ec2.Vpc(stack, 'Vpc', { natGateways: 1 });
  Validations.of(vpc).acknowledge({ id: 'AwsSolutions-VPC7', reason: 'It is for a test.' });
  return {
    app,
    /** A whole app makes its own, which is the one of the test. */
    App: function TheApp() {
      return app;
    },
    CfnOutput,
    Duration,
    Platform,
    Stack,
    stack,
    ec2,
    ecs: Object.create(ecs, { ContainerImage: { value: { fromAsset } } }),
    elbv2,
    GrpcService,
    GrpcLoadBalancer,
    vpc,
    image: registered,
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
      const code = text
        .replaceAll(/^import .+;\n/gm, '')
        .replace("'dist/certificate'", JSON.stringify(certificateCode));
      const names = Object.entries(given(app, stack)).filter(([it]) => !code.includes(`const ${it} =`));
      new Function(...names.map(([it]) => it), code)(...names.map(([, it]) => it));
      Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
      // What is looked up has placeholders at first, whose ids the validation of templates refuses.
      if (!code.includes('.fromLookup(')) app.synth();
    });
  }
});

test('code without a platform is caught', () => {
  assert.throws(() => fromAsset('orders'), /orders is built for the machine that deploys/);
});

test('its imports are there', async () => {
  for (const [, names = '', from = ''] of page.matchAll(/^import \{ (.+) \} from '(.+)';$/gm)) {
    const module = await import(from.replace(/^\.\/infra/, '../../infra'));
    for (const name of names.split(', ')) assert(name in module, `${name} of ${from}`);
  }
});

test('what a service costs is what is calculated', () => {
  const dollars = serviceMonth({ tasks: made.tasks, hasBalancer: true }).toFixed(0);
  assert(page.includes(`for some ${dollars} dollars a month`), dollars);
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
      .find(({ language, section }) => language === 'sh' && section === 'Rehearse it')
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
  const lines = server.trimEnd().split('\n').length;
  assert(page.includes(`in Go, in ${lines} lines`), `${lines}`);
});
