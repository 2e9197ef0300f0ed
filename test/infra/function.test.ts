// Proves what `-c home=function` and `home=both` make: one function with its table and key, least privilege, ceilings,
// a log that ends, alarms; IAM in place of keys; CloudFront in front, and past it nobody; the same users for both
// homes; and which options contradict a home.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Validations } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { AwsSolutionsChecks } from 'cdk-nag';
import { originProofHeader } from '../../functions/process/origin-proof.ts';
import { readOptions } from '../../infra/context.ts';
import { FunctionStack } from '../../infra/function-stack.ts';
import { made } from '../../infra/standing-costs.ts';
import { UsersStack } from '../../infra/users-stack.ts';
import { page } from '../docs/tables.ts';
import { certificateCode, makeApp, resourcesOf, theOnly, usersTemplate } from './synthesis.ts';

const folder = mkdtempSync(join(tmpdir(), 'users-function-'));
process.on('exit', () => rmSync(folder, { recursive: true }));
/** Stands in for the bundle: a template tells of it only by its digest. */
const code = join(folder, 'users');
mkdirSync(code);
writeFileSync(join(code, 'main.mjs'), '');

/** The stacks, and what is said of that of the function. */
interface Made {
  readonly function: Template;
  readonly containers?: Template;
  readonly info: string;
  readonly warnings: readonly string[];
  /** The stacks that `cdk` deploys before it. */
  readonly after: readonly string[];
}

/** As `npx cdk synth -c NAME=VALUE…`, cdk-nag included. */
function templates(context: Record<string, unknown> = {}): Made {
  const app = makeApp({ home: 'function', ...context });
  const options = readOptions(app.node);
  const containers =
    options.home === 'both' ? new UsersStack(app, 'Users', { options, certificateCode }) : undefined;
  const stack = new FunctionStack(app, 'UsersFunction', { options, code, shared: containers });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  app.synth();
  const told = Annotations.fromStack(stack);
  const [info] = told.findInfo('*', Match.anyValue());
  return {
    function: Template.fromStack(stack),
    containers: containers && Template.fromStack(containers),
    info: String(info?.entry.data),
    warnings: told.findWarning('*', Match.anyValue()).map(({ entry }) => String(entry.data)),
    after: stack.dependencies.map(({ stackName }) => stackName),
  };
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
      'Home',
      'ApiKeySecret',
      'Table',
      'LogGroup',
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

  test('keeps its log, and that of what copies its code, for a month and no longer than itself', () => {
    const groups = resourcesOf(template, 'AWS::Logs::LogGroup');
    assert.equal(groups.length, 2);
    for (const [id, { Properties, DeletionPolicy, UpdateReplacePolicy }] of groups) {
      assert.deepEqual(
        [Properties.RetentionInDays, DeletionPolicy, UpdateReplacePolicy],
        [30, 'Delete', 'Delete'],
        id,
      );
    }
  });

  test('costs idle what infra/home-costs.ts counts', () => {
    const metrics = resourcesOf(template, 'AWS::CloudWatch::Alarm').map(
      ([, { Properties }]) => JSON.stringify(Properties).match(/"MetricName"/g)?.length ?? 0,
    );
    assert.equal(
      made.functionAlarmMetrics,
      metrics.reduce((sum, it) => sum + it, 0),
    );
    assert.equal(made.functionLogMetrics, resourcesOf(template, 'AWS::Logs::MetricFilter').length);
    template.resourceCountIs('AWS::CloudWatch::Dashboard', 1);
  });

  test('wakes somebody', () => {
    const alarms = resourcesOf(template, 'AWS::CloudWatch::Alarm');
    const names = alarms.map(([id]) => id.replace(/^Watching|[0-9A-F]{8}$/g, ''));
    assert.deepEqual(names.sort(), ['FailedCalls', 'FailedStarts', 'ThrottledTable']);
    for (const [, { Properties }] of alarms) assert.ok(Properties.AlarmDescription);
    const [, section = ''] = page('homes.md').split('\n### Operating it\n');
    const rows = [...(section.split('\n### ')[0] ?? '').matchAll(/^\| `(\w+)` \| .+ \| .+ \|$/gm)];
    assert.deepEqual(rows.map(([, name]) => name).sort(), names, 'docs/homes.md says what to do');
  });
});

test('home=function with its options', () => {
  const { function: template } = templates({
    timeoutSeconds: '900',
    maxEnvironments: '2',
    rateLimit: '100',
    regions: 'us-east-1,eu-west-1',
    disposable: 'true',
  });
  template.hasResourceProperties('AWS::Lambda::WebFunctionEndpoint', {
    EndpointType: 'MultiRegion',
    Regions: Match.arrayWith(['eu-west-1', 'us-east-1']),
    ScalingConfig: { MaxEnvironments: 2 },
    ThrottleConfig: { RateLimit: 100 },
  });
  const revision = JSON.stringify(theOnly(template, 'AWS::Lambda::WebFunctionRevision').Properties);
  assert.match(
    revision,
    /"DYNAMODB_ENDPOINT":\{"Fn::Join":\["",\["https:\/\/dynamodb\.",\{"Ref":"AWS::Region"\}/,
  );
  assert.match(revision, /"FUNCTION_TIMEOUT_MS":"900000"/);
  const kept = Object.entries(template.toJSON().Resources as Record<string, { DeletionPolicy?: string }>) // as CDK writes it
    .filter(([, it]) => it.DeletionPolicy === 'Retain')
    .map(([id]) => id);
  assert.deepEqual(kept, [], 'disposable: nothing stays when the stack goes');
});

test('home=function with auth=iam has no key: AWS asks', () => {
  const { function: template } = templates({ auth: 'iam' });
  template.resourceCountIs('AWS::SecretsManager::Secret', 0);
  template.hasResourceProperties('AWS::Lambda::WebFunctionEndpoint', { AuthType: 'IamAuth' });
  const revision = JSON.stringify(theOnly(template, 'AWS::Lambda::WebFunctionRevision').Properties);
  assert.match(revision, /"AUTH":"none"/);
});

test('corsOrigins are those of both homes', () => {
  const { function: template, containers } = templates({
    home: 'both',
    corsOrigins: 'https://example.com, http://localhost:5173',
  });
  const origins = 'https://example.com,http://localhost:5173';
  const revision = JSON.stringify(theOnly(template, 'AWS::Lambda::WebFunctionRevision').Properties);
  assert.ok(revision.includes(`"CORS_ORIGINS":"${origins}"`));
  const task = JSON.stringify(containers && theOnly(containers, 'AWS::ECS::TaskDefinition').Properties);
  assert.ok(task.includes(`{"Name":"CORS_ORIGINS","Value":"${origins}"}`));
  assert.doesNotMatch(JSON.stringify(templates().function), /CORS_ORIGINS/);
});

describe('home=function behind CloudFront', () => {
  const certificateArn =
    'arn:aws:acm:us-east-1:123456789012:certificate/12345678-1234-1234-1234-123456789012';
  const own = { edge: 'true', edgeName: 'api.example.com', edgeCertificateArn: certificateArn };

  test('CloudFront asks the endpoint by its own name, waits as long as a call lasts, and keeps nothing', () => {
    const { function: template } = templates({ edge: 'true', timeoutSeconds: '100' });
    const { Properties } = theOnly(template, 'AWS::CloudFront::Distribution');
    const { DistributionConfig: config } = Properties as { DistributionConfig: EdgeConfig }; // as CDK writes it
    const [origin] = config.Origins;
    assert.match(JSON.stringify(origin?.DomainName), /"Fn::GetAtt":\["ServiceFunction.*","DomainName"\]/);
    assert.equal(origin?.CustomOriginConfig.OriginReadTimeout, 100);
    assert.equal(origin?.CustomOriginConfig.OriginProtocolPolicy, 'https-only');
    assert.equal(origin?.OriginCustomHeaders[0]?.HeaderName, originProofHeader);
    assert.match(JSON.stringify(origin?.OriginCustomHeaders[0]?.HeaderValue), /resolve:secretsmanager:/);
    const { AllowedMethods, CachePolicyId, OriginRequestPolicyId, GrpcConfig } = config.DefaultCacheBehavior;
    assert.ok(AllowedMethods.includes('POST'));
    // CachingDisabled and AllViewerExceptHostHeader, as AWS names them everywhere.
    assert.equal(CachePolicyId, '4135ea2d-6df8-44a3-9df3-4b5a84be39ad');
    assert.equal(OriginRequestPolicyId, 'b689b0a8-53d0-40ab-baf2-68738e2966ac');
    assert.notEqual(GrpcConfig?.Enabled, true);
    const { Value } = template.findOutputs('Endpoint').Endpoint ?? {};
    assert.match(JSON.stringify(Value), /"Fn::GetAtt":\["EdgeDistribution.*","DomainName"\]/);
  });

  test('the function asks for the proof, and takes clients for what CloudFront has seen', () => {
    const { function: template } = templates({ edge: 'true' });
    const text = JSON.stringify(theOnly(template, 'AWS::Lambda::WebFunctionRevision').Properties);
    assert.match(text, /"ORIGIN_PROOF_SECRET":\{"Ref":"EdgeProofSecret/);
    assert.match(text, /"TRUSTED_PROXIES":"2"/);
    const role = resourcesOf(template, 'AWS::IAM::Policy').find(([id]) => id.startsWith('ServiceRole'));
    assert.match(
      JSON.stringify(role),
      /"secretsmanager:GetSecretValue"\],"Effect":"Allow","Resource":\[[^\]]*\{"Ref":"EdgeProofSecret/,
    );
    const { function: without } = templates();
    assert.doesNotMatch(JSON.stringify(without), /ORIGIN_PROOF|TRUSTED_PROXIES|CloudFront::/);
  });

  test('a call is waited for from one minute to two', () => {
    for (const [timeoutSeconds, readTimeout, warning] of [
      ['3', 60, []],
      ['120', 120, []],
      ['900', 120, [/timeoutSeconds=900: CloudFront ends a call that is silent for 120 s/]],
    ] as const) {
      const { function: template, warnings } = templates({ edge: 'true', timeoutSeconds });
      assert.equal(warnings.length, warning.length);
      for (const [index, it] of warning.entries()) assert.match(warnings[index] ?? '', it);
      template.hasResourceProperties('AWS::CloudFront::Distribution', {
        DistributionConfig: { Origins: [{ CustomOriginConfig: { OriginReadTimeout: readTimeout } }] },
      });
    }
  });

  test('a name of your own is made in its zone, or told where to lead', () => {
    const { function: zoned } = templates({ ...own, hostedZone: 'Z0123456789ABC' });
    zoned.hasResourceProperties('AWS::CloudFront::Distribution', {
      DistributionConfig: {
        Aliases: ['api.example.com'],
        ViewerCertificate: { AcmCertificateArn: certificateArn },
      },
    });
    const records = resourcesOf(zoned, 'AWS::Route53::RecordSet').map(([, it]) => it.Properties);
    assert.deepEqual(records.map(({ Name, Type }) => [Name, Type]).sort(), [
      ['api.example.com.', 'A'],
      ['api.example.com.', 'AAAA'],
    ]);
    assert.deepEqual(zoned.findOutputs('Endpoint').Endpoint?.Value, 'https://api.example.com');
    const { function: told } = templates(own);
    told.resourceCountIs('AWS::Route53::RecordSet', 0);
    assert.ok(told.findOutputs('EdgeTarget').EdgeTarget);
  });

  test('with both homes it stands before the containers alone', () => {
    const domain = { domainName: 'users.example.com', hostedZone: 'Z0123456789ABC' };
    const { function: template, containers } = templates({ home: 'both', edge: 'true', ...domain });
    template.resourceCountIs('AWS::CloudFront::Distribution', 0);
    containers?.resourceCountIs('AWS::CloudFront::Distribution', 1);
  });
});

/** What is looked at of a distribution. */
interface EdgeConfig {
  readonly Origins: {
    readonly DomainName: unknown;
    readonly CustomOriginConfig: {
      readonly OriginReadTimeout: number;
      readonly OriginProtocolPolicy: string;
    };
    readonly OriginCustomHeaders: { readonly HeaderName: string; readonly HeaderValue: unknown }[];
  }[];
  readonly DefaultCacheBehavior: {
    readonly AllowedMethods: string[];
    readonly CachePolicyId: string;
    readonly OriginRequestPolicyId: string;
    readonly GrpcConfig?: { readonly Enabled: boolean };
  };
}

test('home=both serves the same users, and takes the same key', () => {
  const { function: template, containers, after } = templates({ home: 'both' });
  assert.deepEqual(after, ['Users'], 'whatever order is asked for');
  containers?.resourceCountIs('AWS::DynamoDB::GlobalTable', 1);
  template.resourceCountIs('AWS::DynamoDB::GlobalTable', 0);
  template.resourceCountIs('AWS::SecretsManager::Secret', 0);
  const revision = JSON.stringify(theOnly(template, 'AWS::Lambda::WebFunctionRevision').Properties);
  assert.match(
    revision,
    /"USERS_TABLE":\{"Fn::ImportValue":"Users:.*"API_KEY_SECRET":\{"Fn::ImportValue":"Users:/,
  );
});

test('what the containers export for the function goes with the option: docs/homes.md says what to destroy first', () => {
  const exported = (template: Template | undefined) =>
    Object.values(template?.findOutputs('*') ?? {}).filter(({ Export }) => Export !== undefined).length;
  const jwt = { auth: 'jwt', authIssuer: 'https://issuer.example.com/', authAudience: 'users' };
  // The names of the table and of its ARN; and the key, which goes with another way of asking who calls.
  assert.equal(exported(templates({ home: 'both' }).containers), 3);
  assert.equal(exported(templates({ home: 'both', ...jwt }).containers), 2);
  assert.equal(exported(usersTemplate()), 0);
});

test('whose users it serves is said, since a change of home moves none', () => {
  assert.match(
    templates({ home: 'function' }).info,
    /the users and the key of this stack\. .*"Changing the home"/,
  );
  assert.match(templates({ home: 'both' }).info, /the users and the key of the stack Users\. /);
});

for (const [context, problem] of [
  [{ home: 'function', minTasks: '2' }, 'minTasks is for containers: leave it out with home=function'],
  [
    { home: 'function', domainName: 'users.example.com' },
    'domainName is for containers: a function has a name of yours at CloudFront alone, by edge, edgeName and edgeCertificateArn',
  ],
  [{ home: 'function', hostedZone: 'Z1' }, 'hostedZone needs edgeName, the name to make in it'],
  [
    { home: 'function', auth: 'iam', edge: 'true' },
    'auth=iam and edge: callers sign for the name of the endpoint, and CloudFront has another; take auth=key or jwt',
  ],
  [
    { home: 'function', auth: 'iam', regions: 'eu-west-1' },
    'auth=iam and regions: an endpoint in several regions wants SigV4a, which the client does not sign; leave regions out, or take auth=key or jwt',
  ],
  [
    { home: 'function', auth: 'iam', corsOrigins: '*' },
    'auth=iam and corsOrigins: a browser asks first without a signature, which AWS refuses; take auth=key or jwt',
  ],
  [
    { home: 'function', corsOrigins: 'example.com' },
    'corsOrigins must be origins such as https://example.com, not "example.com"',
  ],
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
