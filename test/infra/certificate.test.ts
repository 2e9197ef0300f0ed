// Proves that the certificate function may change and delete the certificates alone that it has made, by their tag,
// give that tag to no certificate of another owner or of ACM's own, and read no parameter but its own, where a stack
// has several too; and that the Users stack's keep their released names.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import { ownerTag } from '../../functions/certificate/self-issued.ts';
import { GrpcLoadBalancer } from '../../infra/grpc-load-balancer.ts';
import { GrpcService } from '../../infra/grpc-service.ts';
import { certificateCode, resourcesOf, templateOf, usersTemplate } from './synthesis.ts';

interface Statement {
  readonly Action: string | readonly string[];
  readonly Condition?: unknown;
  readonly Resource: unknown;
}

const template = usersTemplate();
// Of 1.0.0: under another name the authority would be made anew, and lock out every client.
const prefix = '/self-issued/Users/Certificate';
const [, policy] =
  resourcesOf(template, 'AWS::IAM::Policy').find(([id]) => id.includes('CertificateRole')) ??
  assert.fail('no policy');
const document: { Statement: Statement[] } = JSON.parse(JSON.stringify(policy.Properties.PolicyDocument));
const allowing = (action: string) => document.Statement.filter((it) => [it.Action].flat().includes(action));

test('what is imported anew has the tag, and what is changed or deleted has it already', () => {
  const tagged = (on: string) => ({ [`aws:${on}/${ownerTag}`]: prefix });
  const conditions = (action: string) => allowing(action).map((it) => it.Condition);
  // By the tag of the owner and no other, on nothing that has another owner's, or that ACM has issued.
  const tagging = {
    StringEquals: tagged('RequestTag'),
    'ForAllValues:StringEquals': { 'aws:TagKeys': [ownerTag] },
    StringEqualsIfExists: {
      ...tagged('ResourceTag'),
      'acm:CertificateKeyPairOrigin': 'CUSTOMER_PROVIDED',
    },
  };
  const changing = { StringEquals: tagged('ResourceTag') };
  assert.deepEqual(conditions('acm:ImportCertificate'), [tagging, changing]);
  assert.deepEqual(conditions('acm:AddTagsToCertificate'), [tagging]);
  assert.deepEqual(conditions('acm:DeleteCertificate'), [changing]);
  const [, resource] =
    resourcesOf(template, 'Custom::SelfIssuedCertificate')[0] ?? assert.fail('no certificate');
  assert.equal(resource.Properties.Owner, prefix, 'the value of the tag');
});

test('the parameters are those of its own authority', () => {
  for (const action of ['ssm:GetParameter', 'ssm:PutParameter', 'ssm:DeleteParameter']) {
    const resources = allowing(action).map((it) => JSON.stringify(it.Resource));
    assert.equal(resources.length, 1);
    assert(resources[0]?.includes(`parameter${prefix}/*`), resources[0]);
  }
});

test('certificates of one stack have prefixes of their own, none of which begins with another', () => {
  const image = ecs.ContainerImage.fromRegistry('example.com/greeter:1');
  const several = templateOf((scope) => {
    for (const id of ['Service', 'Orders', 'Certificate'])
      new GrpcService(scope, id, { image, certificateCode });
    new GrpcLoadBalancer(scope, 'Front', { certificateCode });
  });
  const prefixes = resourcesOf(several, 'Custom::SelfIssuedCertificate').map(([, { Properties }]) => {
    assert.equal(Properties.Owner, Properties.AuthorityPrefix);
    return String(Properties.AuthorityPrefix);
  });
  assert.equal(new Set(prefixes).size, 4);
  assert(prefixes.includes('/self-issued/Test/Certificate'), 'as in the Users stack');
  for (const one of prefixes) {
    assert.match(one, /^[\w./-]+$/, 'as SSM takes it');
    for (const other of prefixes) assert.equal(`${other}/`.startsWith(`${one}/`), one === other);
  }
});
