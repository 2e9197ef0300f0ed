// Proves that the certificate function may change and delete the certificates alone that it has made, by their tag, and
// read no parameter but its own.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ownerTag } from '../../functions/certificate/self-issued.ts';
import { resourcesOf, usersTemplate } from './synthesis.ts';

interface Statement {
  readonly Action: string | readonly string[];
  readonly Condition?: unknown;
  readonly Resource: unknown;
}

const template = usersTemplate();
const prefix = '/self-issued/Users/Certificate';
const [, policy] =
  resourcesOf(template, 'AWS::IAM::Policy').find(([id]) => id.includes('CertificateRole')) ??
  assert.fail('no policy');
const document: { Statement: Statement[] } = JSON.parse(JSON.stringify(policy.Properties.PolicyDocument));
const allowing = (action: string) => document.Statement.filter((it) => [it.Action].flat().includes(action));

test('what is imported anew has the tag, and what is changed or deleted has it already', () => {
  const tagged = (on: string) => ({ StringEquals: { [`aws:${on}/${ownerTag}`]: prefix } });
  const conditions = (action: string) => allowing(action).map((it) => it.Condition);
  assert.deepEqual(conditions('acm:ImportCertificate'), [tagged('RequestTag'), tagged('ResourceTag')]);
  assert.deepEqual(conditions('acm:AddTagsToCertificate'), [tagged('RequestTag')]);
  assert.deepEqual(conditions('acm:DeleteCertificate'), [tagged('ResourceTag')]);
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
