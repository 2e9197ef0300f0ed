// Proves that the options which say who may connect, and how often, close the load balancer to all others, and that
// those which contradict each other are refused.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Match, type Template } from 'aws-cdk-lib/assertions';
import fc from 'fast-check';
import { readOptions } from '../../infra/context.ts';
import { isPeer } from '../../infra/grpc-service-refusals.ts';
import { makeApp, resourcesOf, usersTemplate } from './synthesis.ts';

const edge = { domainName: 'users.example.com', hostedZone: 'Z0123456789ABC', edge: 'true' };

/** Who may connect to the load balancer, by its security group and the rules that are added to it. */
function admitted(template: Template): unknown[] {
  const [[, group] = assert.fail()] = resourcesOf(template, 'AWS::EC2::SecurityGroup').filter(([id]) =>
    /^ServiceLoadBalancer/.test(id),
  );
  const { SecurityGroupIngress: own = [] } = group.Properties;
  assert(Array.isArray(own));
  const added = resourcesOf(template, 'AWS::EC2::SecurityGroupIngress').filter(([, { Properties }]) =>
    JSON.stringify(Properties.GroupId).includes('ServiceLoadBalancer'),
  );
  const rules = [...own, ...added.map(([, { Properties }]) => Properties)];
  for (const { FromPort, ToPort, IpProtocol } of rules)
    assert.deepEqual([FromPort, ToPort, IpProtocol], [443, 443, 'tcp']);
  return rules.map(({ CidrIp, SourcePrefixListId }) => CidrIp ?? SourcePrefixListId);
}

test('everybody may connect by default, and nobody else than allowedCidrs with them', () => {
  assert.deepEqual(admitted(usersTemplate()), ['0.0.0.0/0']);
  const allowedCidrs = '203.0.113.0/24, 198.51.100.7/32,pl-3b927c52';
  assert.deepEqual(admitted(usersTemplate({ allowedCidrs })), [
    '203.0.113.0/24',
    '198.51.100.7/32',
    'pl-3b927c52',
  ]);
  assert.deepEqual(admitted(usersTemplate({ ...edge, allowedCidrs: 'pl-3b927c52' })), ['pl-3b927c52']);
});

test('a network of IPv4 is one, and a slip is none', () => {
  fc.assert(
    fc.property(fc.ipV4(), fc.integer({ min: 0, max: 32 }), (address, bits) => isPeer(`${address}/${bits}`)),
  );
  const slips = ['203.0.113.0', '203.0.113.0/33', '203.0.113/24', '256.0.0.1/8', '::/0', 'pl-', 'all', ''];
  for (const slip of slips) assert.equal(isPeer(slip), false, slip);
});

describe('internal: no public address of the load balancer', () => {
  const balancer = 'AWS::ElasticLoadBalancingV2::LoadBalancer';

  test('in the public subnets of a network that has no others', () => {
    usersTemplate().hasResourceProperties(balancer, { Scheme: 'internet-facing' });
    const template = usersTemplate({ internal: 'true' });
    template.hasResourceProperties(balancer, {
      Scheme: 'internal',
      Subnets: Array.from({ length: 2 }, () => ({ Ref: Match.stringLikeRegexp('PublicSubnet') })),
    });
    template.hasOutput('Ca', {});
  });

  test('beside the tasks in private subnets', () => {
    usersTemplate({ internal: 'true', privateSubnets: 'true' }).hasResourceProperties(balancer, {
      Scheme: 'internal',
      Subnets: Array.from({ length: 2 }, () => ({ Ref: Match.stringLikeRegexp('TasksSubnet') })),
    });
  });
});

test('wafRatePerIp: an address with more requests in five minutes is blocked, everything else passes', () => {
  const template = usersTemplate({ wafRatePerIp: '5000' });
  template.hasResourceProperties('AWS::WAFv2::WebACL', {
    Scope: 'REGIONAL',
    DefaultAction: { Allow: {} },
    Rules: [
      Match.objectLike({
        Action: { Block: {} },
        Statement: {
          RateBasedStatement: { Limit: 5000, AggregateKeyType: 'IP', EvaluationWindowSec: 300 },
        },
      }),
    ],
  });
  template.hasResourceProperties('AWS::WAFv2::WebACLAssociation', {
    ResourceArn: { Ref: 'ServiceLoadBalancer31A7DB79' },
  });
  usersTemplate().resourceCountIs('AWS::WAFv2::WebACL', 0);
});

describe('what can not be meant', () => {
  const refused: [Record<string, unknown>, RegExp][] = [
    [
      { allowedCidrs: '203.0.113.0/24,10.0.0.0' },
      /^allowedCidrs must be networks of IPv4 [^\n]*, not "10.0.0.0"$/,
    ],
    [{ ...edge, allowedCidrs: '203.0.113.0/24' }, /^allowedCidrs and edge: [^\n]*only prefix lists/],
    [{ ...edge, internal: 'true' }, /^internal and edge: CloudFront comes from the internet/],
    [{ ...edge, wafRatePerIp: '5000' }, /^wafRatePerIp and edge: [^\n]*CloudFront's addresses/],
    [{ wafRatePerIp: '9' }, /^wafRatePerIp must be a whole number of at least 10, not "9"$/],
    [{ maxReadUnits: '0' }, /^maxReadUnits must be a whole number of at least 1, not "0"$/],
    [{ internal: 'yes' }, /^internal must be true or false/],
  ];
  for (const [context, message] of refused) {
    test(JSON.stringify(context), () => {
      assert.throws(() => readOptions(makeApp(context).node), { message });
    });
  }
});
