// Proves that a default deployment makes a key that is nowhere but in its secret, gives it to the tasks and lets nobody
// else read it; that each option says by the settings of the tasks who may call and how much; and that what can't be
// meant together is refused.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Match, type Template } from 'aws-cdk-lib/assertions';
import { readOptions } from '../../infra/context.ts';
import { makeApp, resourcesOf, theOnly, usersTemplate, usersWarnings } from './synthesis.ts';

const secretId = 'ApiKeySecret5E0E1F3C';
const jwt = { auth: 'jwt', authIssuer: 'https://issuer.example.com/', authAudience: 'users' };
const clientCa = 's3://authorities/clients.pem';

/** The container's settings that say who may call, and the names of its secrets. */
function callers(template: Template): { settings: Record<string, string>; secrets: string[] } {
  const { ContainerDefinitions: definitions } = theOnly(template, 'AWS::ECS::TaskDefinition').Properties;
  assert(Array.isArray(definitions));
  const [{ Environment, Secrets = [] }] = definitions;
  const settings = Environment.map(({ Name, Value }: { Name: string; Value: string }) => [Name, Value]);
  return {
    settings: Object.fromEntries(
      settings.filter(([name]: [string]) => /^(?:AUTH|TLS_CLIENT|API_KEY)/.test(name)),
    ),
    secrets: Secrets.map(({ Name }: { Name: string }) => Name),
  };
}

describe('the key of a default deployment', () => {
  const template = usersTemplate();

  test('is made by Secrets Manager: 43 letters and digits', () => {
    const secret = theOnly(template, 'AWS::SecretsManager::Secret');
    assert.deepEqual(secret.Properties.GenerateSecretString, {
      PasswordLength: 43,
      ExcludePunctuation: true,
    });
    assert.equal(secret.Properties.SecretString, undefined);
    // A change here makes another key, and locks every caller out.
    assert.deepEqual(
      resourcesOf(template, 'AWS::SecretsManager::Secret').map(([id]) => id),
      [secretId],
    );
  });

  test('is given to the tasks by reference, and is in no output', () => {
    template.hasResourceProperties('AWS::ECS::TaskDefinition', {
      ContainerDefinitions: [
        Match.objectLike({ Secrets: [{ Name: 'API_KEY', ValueFrom: { Ref: secretId } }] }),
      ],
    });
    template.hasOutput('ApiKeySecret', { Value: { Ref: secretId } });
    // A dynamic reference would put the key itself into the template's parameters.
    assert.doesNotMatch(JSON.stringify(template.toJSON()), /resolve:secretsmanager/);
  });

  test('is read by the execution role of the tasks, and by nobody else', () => {
    const readers = resourcesOf(template, 'AWS::IAM::Policy').filter(([, { Properties }]) =>
      JSON.stringify(Properties.PolicyDocument).includes('secretsmanager:'),
    );
    assert.equal(readers.length, 1);
    const [[, { Properties }] = assert.fail()] = readers;
    assert.match(JSON.stringify(Properties.Roles), /^\[\{"Ref":"ServiceTaskExecutionRole\w+"\}\]$/);
    const { Statement: statements } = JSON.parse(JSON.stringify(Properties.PolicyDocument));
    const [statement] = statements.filter((it: unknown) => JSON.stringify(it).includes('secretsmanager:'));
    assert.deepEqual(statement, {
      Action: ['secretsmanager:DescribeSecret', 'secretsmanager:GetSecretValue'],
      Effect: 'Allow',
      Resource: { Ref: secretId },
    });
  });

  test('stays when the stack goes, but not after a trial', () => {
    const policies = (context: Record<string, unknown>) => {
      const secret = theOnly(usersTemplate(context), 'AWS::SecretsManager::Secret');
      return [secret.DeletionPolicy, secret.UpdateReplacePolicy];
    };
    assert.deepEqual(policies({}), ['Retain', 'Retain']);
    assert.deepEqual(policies({ disposable: 'true' }), ['Delete', 'Delete']);
  });

  test('is read over an endpoint where tasks have no way to the internet', () => {
    const hasEndpoint = (context: Record<string, unknown>) =>
      JSON.stringify(resourcesOf(usersTemplate(context), 'AWS::EC2::VPCEndpoint')).includes(
        '.secretsmanager"',
      );
    assert(hasEndpoint({ privateSubnets: 'true' }));
    assert(!hasEndpoint({ privateSubnets: 'true', auth: 'none' }));
  });
});

describe('who may call', () => {
  const cases: [string, Record<string, unknown>, Record<string, string>, string[]][] = [
    ['a key', {}, {}, ['API_KEY']],
    ['a key, said so', { auth: 'key' }, {}, ['API_KEY']],
    ['tokens of an issuer', jwt, { AUTH_ISSUER: 'https://issuer.example.com/', AUTH_AUDIENCE: 'users' }, []],
    ['everybody', { auth: 'none' }, { AUTH: 'none' }, []],
    ['certificates', { clientCa }, { TLS_CLIENT_HEADERS: 'alb' }, []],
    [
      'certificates, by name',
      { clientCa, clientScopes: '{"spiffe://example.com/billing":["users.read"]}' },
      { TLS_CLIENT_HEADERS: 'alb', TLS_CLIENTS: '{"spiffe://example.com/billing":["users.read"]}' },
      [],
    ],
    ['certificates and a key', { clientCa, auth: 'key' }, { TLS_CLIENT_HEADERS: 'alb' }, ['API_KEY']],
  ];
  for (const [name, context, settings, secrets] of cases) {
    test(name, () => {
      const template = usersTemplate(context);
      assert.deepEqual(callers(template), { settings, secrets });
      // An open deployment has a key to hand out before it is closed.
      const keys = settings.AUTH === 'none' ? 1 : secrets.length;
      template.resourceCountIs('AWS::SecretsManager::Secret', keys);
      assert.equal(Object.keys(template.findOutputs('ApiKeySecret')).length, keys);
    });
  }

  test('clientCa: the load balancer checks certificates against the bundle', () => {
    const template = usersTemplate({ clientCa });
    const [[id] = ['']] = resourcesOf(template, 'AWS::ElasticLoadBalancingV2::TrustStore');
    template.hasResourceProperties('AWS::ElasticLoadBalancingV2::TrustStore', {
      CaCertificatesBundleS3Bucket: 'authorities',
      CaCertificatesBundleS3Key: 'clients.pem',
    });
    template.hasResourceProperties('AWS::ElasticLoadBalancingV2::Listener', {
      MutualAuthentication: { Mode: 'verify', TrustStoreArn: { 'Fn::GetAtt': [id, 'TrustStoreArn'] } },
    });
    usersTemplate().hasResourceProperties('AWS::ElasticLoadBalancingV2::Listener', {
      MutualAuthentication: Match.absent(),
    });
  });

  test('auth=none is said aloud when the template is made', () => {
    const warnings = (context: Record<string, unknown>) => usersWarnings(context).join('\n');
    assert.match(warnings({ auth: 'none' }), /auth=none: whoever can connect may sign users up/);
    assert.equal(warnings({}), '');
  });
});

test('tokensPerSecond: how much each caller may, on each task', () => {
  const quota = (context: Record<string, unknown>) => {
    const definition = JSON.stringify(theOnly(usersTemplate(context), 'AWS::ECS::TaskDefinition').Properties);
    return /"Name":"TOKENS_PER_SECOND_PER_CALLER","Value":"(\d+)"/.exec(definition)?.[1];
  };
  assert.equal(quota({}), '100');
  assert.equal(quota({ tokensPerSecond: '5000' }), '5000');
  assert.equal(quota({ tokensPerSecond: '0' }), '0');
});

describe('what can not be meant', () => {
  const refused: [Record<string, unknown>, RegExp][] = [
    [{ auth: 'basic' }, /^auth must be key, jwt, iam or none, not "basic"$/],
    [{ auth: 'jwt' }, /^auth=jwt needs authIssuer: [^\n]*\nauth=jwt needs authAudience: [^\n]*$/],
    [{ ...jwt, auth: 'key' }, /^authIssuer is for tokens: set auth=jwt[^\n]*\nauthAudience is for tokens/],
    [{ ...jwt, authIssuer: 'http://issuer' }, /^authIssuer must be the https URL of an issuer/],
    [{ ...jwt, privateSubnets: 'true' }, /^auth=jwt needs a way to the issuer, which privateSubnets take/],
    [{ clientCa: 'clients.pem' }, /^clientCa must be the authorities as PEM in S3, s3:\/\/BUCKET\/KEY/],
    [{ clientCa, auth: 'none' }, /^auth=none lets everybody in, and clientCa only those with a certificate/],
    [{ clientScopes: '{}' }, /^clientScopes needs clientCa/],
    [{ clientCa, clientScopes: '{"a":"users.read"}' }, /^clientScopes must be JSON such as/],
    [{ clientCa, clientScopes: 'users.read' }, /^clientScopes must be JSON such as/],
    [{ tokensPerSecond: 'many' }, /^tokensPerSecond must be a whole number, not "many"$/],
    [
      { clientCa, edge: 'true', domainName: 'users.example.com', hostedZone: 'Z1' },
      /^clientCa and edge: CloudFront shows the load balancer no client certificate$/,
    ],
  ];
  for (const [context, message] of refused) {
    test(JSON.stringify(context), () => {
      assert.throws(() => readOptions(makeApp(context).node), { message });
    });
  }
});
