// Proves what `-c home=function` and `home=both` make: one function with its table and key, least privilege, ceilings,
// a log that ends, alarms; IAM in place of keys; the same users for both homes; and which options contradict a home.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Validations } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { AwsSolutionsChecks } from 'cdk-nag';
import { readOptions } from '../../infra/context.ts';
import { FunctionStack } from '../../infra/function-stack.ts';
import { UsersStack } from '../../infra/users-stack.ts';
import { certificateCode, makeApp, resourcesOf, theOnly } from './synthesis.ts';

const folder = mkdtempSync(join(tmpdir(), 'users-function-'));
process.on('exit', () => rmSync(folder, { recursive: true }));
/** Stands in for the bundle: a template tells of it only by its digest. */
const code = join(folder, 'users');
mkdirSync(code);
writeFileSync(join(code, 'main.mjs'), '');

/** As `npx cdk synth -c NAME=VALUE…`, cdk-nag included. */
function templates(context: Record<string, unknown> = {}): { function: Template; containers?: Template } {
  const app = makeApp({ home: 'function', ...context });
  const options = readOptions(app.node);
  const containers =
    options.home === 'both' ? new UsersStack(app, 'Users', { options, certificateCode }) : undefined;
  const stack = new FunctionStack(app, 'UsersFunction', { options, code, shared: containers });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  app.synth();
  return { function: Template.fromStack(stack), containers: containers && Template.fromStack(containers) };
}

const problemsOf = (context: Record<string, unknown>): string => {
  try {
    readOptions(makeApp(context).node);
  } catch (error) {
    return error instanceof Error ? error.message : '';
  }
  return '';
};

describe('home=function', () => {
  const { function: template } = templates();

  test('is a function, its users and its key, and no load balancer', () => {
    template.resourceCountIs('AWS::Lambda::WebFunction', 1);
    template.resourceCountIs('AWS::DynamoDB::GlobalTable', 1);
    template.resourceCountIs('AWS::SecretsManager::Secret', 1);
    template.resourceCountIs('AWS::ElasticLoadBalancingV2::LoadBalancer', 0);
    template.resourceCountIs('AWS::EC2::VPC', 0);
    assert.deepEqual(Object.keys(template.findOutputs('*')), [
      'Endpoint',
      'ApiKeySecret',
      'Table',
      'DashboardUrl',
    ]);
  });

  test('has ceilings, and asks for credentials itself', () => {
    template.hasResourceProperties('AWS::Lambda::WebFunctionEndpoint', {
      AuthType: 'ApplicationManaged',
      EndpointType: 'HomeRegion',
      ScalingConfig: { MaxEnvironments: 10 },
      ThrottleConfig: { RateLimit: 1000 },
    });
  });

  test('reads its key from Secrets Manager: neither is in its configuration', () => {
    const { Properties } = theOnly(template, 'AWS::Lambda::WebFunctionRevision');
    const text = JSON.stringify(Properties);
    assert.match(text, /"FUNCTION_TIMEOUT_MS":"30000"/);
    assert.match(text, /"API_KEY_SECRET":\{"Ref":"ApiKeySecret/);
    assert.match(text, /"AWS_LAMBDA_NODEJS_ENTRYPOINT":"main.mjs"|"EntryPoint":"main.mjs"/);
    assert.doesNotMatch(text, /"API_KEY"|resolve:secretsmanager/);
  });

  test('may call its table, its log and its key alone', () => {
    const [, role] =
      resourcesOf(template, 'AWS::IAM::Role').find(([id]) => id.startsWith('ServiceRole')) ?? [];
    assert.equal(role?.Properties.ManagedPolicyArns, undefined);
    const [, policy] =
      resourcesOf(template, 'AWS::IAM::Policy').find(([id]) => id.startsWith('ServiceRole')) ?? [];
    const document = policy?.Properties.PolicyDocument as { Statement: { Action: string | string[] }[] }; // as CDK writes it
    const actions = document.Statement.flatMap(({ Action }) => Action).sort();
    assert.deepEqual(
      [...new Set(actions)],
      [
        'dynamodb:BatchGetItem',
        'dynamodb:ConditionCheckItem',
        'dynamodb:DeleteItem',
        'dynamodb:PutItem',
        'dynamodb:Query',
        'dynamodb:UpdateItem',
        'logs:CreateLogGroup',
        'logs:CreateLogStream',
        'logs:PutLogEvents',
        'secretsmanager:DescribeSecret',
        'secretsmanager:GetSecretValue',
      ],
    );
  });

  test('keeps its log for a month, and wakes somebody', () => {
    template.hasResourceProperties('AWS::Logs::LogGroup', { RetentionInDays: 30 });
    const alarms = resourcesOf(template, 'AWS::CloudWatch::Alarm');
    const names = alarms.map(([id]) => id.replace(/^Watching|[0-9A-F]{8}$/g, ''));
    assert.deepEqual(names.sort(), ['FailedCalls', 'FailedStarts', 'ThrottledTable']);
    for (const [, { Properties }] of alarms) assert.ok(Properties.AlarmDescription);
  });
});

test('home=function with its options', () => {
  const { function: template } = templates({
    auth: 'iam',
    timeoutSeconds: '900',
    maxEnvironments: '2',
    rateLimit: '100',
    regions: 'us-east-1,eu-west-1',
    disposable: 'true',
  });
  template.resourceCountIs('AWS::SecretsManager::Secret', 0);
  template.hasResourceProperties('AWS::Lambda::WebFunctionEndpoint', {
    AuthType: 'IamAuth',
    EndpointType: 'MultiRegion',
    Regions: Match.arrayWith(['eu-west-1', 'us-east-1']),
    ScalingConfig: { MaxEnvironments: 2 },
    ThrottleConfig: { RateLimit: 100 },
  });
  const revision = JSON.stringify(theOnly(template, 'AWS::Lambda::WebFunctionRevision').Properties);
  assert.match(revision, /"AUTH":"none"/);
  assert.match(
    revision,
    /"DYNAMODB_ENDPOINT":\{"Fn::Join":\["",\["https:\/\/dynamodb\.",\{"Ref":"AWS::Region"\}/,
  );
  assert.match(revision, /"FUNCTION_TIMEOUT_MS":"900000"/);
});

test('home=both serves the same users, and takes the same key', () => {
  const { function: template, containers } = templates({ home: 'both' });
  containers?.resourceCountIs('AWS::DynamoDB::GlobalTable', 1);
  template.resourceCountIs('AWS::DynamoDB::GlobalTable', 0);
  template.resourceCountIs('AWS::SecretsManager::Secret', 0);
  const revision = JSON.stringify(theOnly(template, 'AWS::Lambda::WebFunctionRevision').Properties);
  assert.match(
    revision,
    /"USERS_TABLE":\{"Fn::ImportValue":"Users:.*"API_KEY_SECRET":\{"Fn::ImportValue":"Users:/,
  );
});

for (const [context, problem] of [
  [{ home: 'function', minTasks: '2' }, 'minTasks is for containers: leave it out with home=function'],
  [{ rateLimit: '100' }, 'rateLimit is for a function: set home=function or both, or leave it out'],
  [{ auth: 'iam' }, 'auth=iam needs home=function: a load balancer knows no signatures'],
  [
    { home: 'function', rateLimit: '1500' },
    'rateLimit must be 0, 100 to 1000 in hundreds, or 2000 to 10000 in thousands, not 1500',
  ],
  [{ home: 'function', maxEnvironments: '1' }, 'maxEnvironments must be at least 2, not 1'],
  [{ home: 'function', timeoutSeconds: '901' }, 'timeoutSeconds must be from 3 to 900, not 901'],
  [{ home: 'lambda' }, 'home must be container, function or both, not "lambda"'],
] as const) {
  test(`options that can not be: ${JSON.stringify(context)}`, () =>
    assert.equal(problemsOf(context), problem));
}
