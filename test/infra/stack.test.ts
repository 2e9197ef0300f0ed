// Proves that every option of the app makes a template that cdk-nag has nothing left to say about, and one that cfn-lint
// reads, that nothing which holds data changes its logical id (CloudFormation would replace it), and that the outputs
// are there.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ofFunctions } from '../../infra/home-contradictions.ts';
import { lookedUp, optionNames, resourcesOf, usersTemplate } from './synthesis.ts';

const domain = { domainName: 'users.example.com', hostedZone: 'Z0123456789ABC' };
const certificateArn = 'arn:aws:acm:us-east-1:123456789012:certificate/12345678-1234-1234-1234-123456789012';

const variants: Record<string, Record<string, unknown>> = {
  'nothing prepared': {},
  'a domain in Route 53': domain,
  'a certificate of yours': { domainName: 'users.example.com', certificateArn },
  'private subnets': { privateSubnets: 'true' },
  'private subnets that are added': { privateSubnets: 'added' },
  'a stage with tags': { stage: 'test', tags: 'team=payments', protected: 'true' },
  'canary deployments': { deployment: 'canary' },
  'CloudFront in front': { ...domain, edge: 'true' },
  'CloudFront with a name of yours': {
    ...domain,
    edge: 'true',
    edgeName: 'api.example.com',
    edgeCertificateArn: certificateArn,
  },
  'another size': { cpu: '1024', memoryMiB: '2048', minTasks: '3', maxTasks: '30' },
  'another base image': { baseImage: 'localhost/nodejs24:local' },
  'alarms that tell somebody': { alarmTopicArn: 'arn:aws:sns:us-east-1:123456789012:alarms' },
  'for a trial': { disposable: 'true' },
  'tokens of an issuer': { auth: 'jwt', authIssuer: 'https://issuer.example.com/', authAudience: 'users' },
  'everybody may call': { auth: 'none', corsOrigins: '*' },
  'client certificates': {
    clientCa: 's3://authorities/clients.pem',
    clientScopes: '{"spiffe://example.com/billing":["users.read"]}',
  },
  'some may connect': { allowedCidrs: '203.0.113.0/24,pl-3b927c52' },
  'no public address': { internal: 'true', privateSubnets: 'true' },
  'a rate for each address': { wafRatePerIp: '5000' },
  'telemetry by a collector': {
    telemetry: 'adot',
    traceRatio: '0.1',
    traceParents: 'follow',
    deployment: 'canary',
  },
  "telemetry to CloudWatch's own endpoints": { telemetry: 'otlp', privateSubnets: 'true' },
  'a network of yours': lookedUp.context,
  'canary deployments in a network of yours': { ...lookedUp.context, deployment: 'canary', internal: 'true' },
  'a share of Spot': { spotShare: '50', minTasks: '1' },
  'access logs, and zonal shift': { accessLogs: 'true', zonalShift: 'true' },
  'other ceilings': { maxReadUnits: '4000', maxWriteUnits: '500', tokensPerSecond: '0' },
};

for (const [name, context] of Object.entries(variants)) {
  test(`${name}: no finding of cdk-nag, the data keep their ids`, () => {
    const template = usersTemplate(context);
    // A change here replaces the table: the users would be gone. Find out why the id changes, and keep it.
    assert.deepEqual(
      resourcesOf(template, 'AWS::DynamoDB::GlobalTable').map(([id]) => id),
      ['UsersTable6D91A5EE'],
    );
    // A change here gives the load balancer, and so the endpoint, another name.
    assert.deepEqual(
      resourcesOf(template, 'AWS::ElasticLoadBalancingV2::LoadBalancer').map(([id]) => id),
      ['ServiceLoadBalancer31A7DB79'],
    );
    // It has a name, so under another id it could not be made before it is gone.
    assert.deepEqual(
      resourcesOf(template, 'AWS::CloudWatch::Alarm')
        .filter(([, { Properties }]) => Properties.AlarmName !== undefined)
        .map(([id]) => id),
      ['AlarmsRollBack1E08871C'],
    );
    // And here it throws the authority away that clients trust.
    const issued = context.domainName ? [] : ['ServiceCertificateA7C65FE6'];
    assert.deepEqual(
      resourcesOf(template, 'Custom::SelfIssuedCertificate').map(([id]) => id),
      issued,
    );
    const outputs = Object.keys(template.findOutputs('*')).sort();
    const hasKey = context.auth !== 'jwt' && context.clientCa === undefined;
    const expected = [
      ...(hasKey ? ['ApiKeySecret'] : []),
      ...(context.domainName ? [] : ['Ca']),
      'DashboardUrl',
      'Endpoint',
      'Table',
    ];
    assert.deepEqual(outputs, expected);
  });
}

test('each option is in a template that cdk-nag has seen', () => {
  // Those of a function, and homes: test/infra/function.test.ts.
  const seen = new Set([...ofFunctions, 'home', ...Object.values(variants).flatMap(Object.keys)]);
  assert.deepEqual(
    optionNames().filter((it) => !seen.has(it)),
    [],
  );
});

test('each option is in a template that cfn-lint reads', () => {
  const lint = readFileSync(new URL('../../.ci/cloud/lint', import.meta.url), 'utf8');
  const read = new Set([...lint.matchAll(/-c ["']?(\w+)=/g)].map(([, name]) => name));
  // That network is looked up in an account: test/infra/front.test.ts makes its template.
  assert.deepEqual(
    optionNames().filter((it) => !read.has(it)),
    ['vpcId'],
  );
});
