// Proves what the certificate function does and answers when CloudFormation creates, updates and deletes the resource,
// that a renewal keeps the ARN and the authority, and that CloudFormation gets an answer when AWS fails. ACM and SSM
// are stood in for, so that they can fail; the SDK's clients are real.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import { json } from 'node:stream/consumers';
import { after, before, beforeEach, mock, test } from 'node:test';
import { ACMClient } from '@aws-sdk/client-acm';
import { SSMClient } from '@aws-sdk/client-ssm';
import { ssmAuthorityStore } from '../../functions/certificate/authority-store.ts';
import type { ResourceEvent } from '../../functions/certificate/cloudformation.ts';
import { createHandler } from '../../functions/certificate/handler.ts';
import { SelfIssuedCertificates } from '../../functions/certificate/self-issued.ts';
import { Aws } from './aws.ts';

const dayMs = 24 * 60 * 60 * 1000;
const properties = { DnsName: 'users-1.us-east-1.elb.amazonaws.com', AuthorityPrefix: '/self-issued/Users' };
const owner = `self-issued=${properties.AuthorityPrefix}`;
const parameter = `${properties.AuthorityPrefix}/${properties.DnsName}`;

/** What CloudFormation is told. */
interface Answer {
  readonly Status: 'SUCCESS' | 'FAILED';
  readonly Reason?: string;
  readonly PhysicalResourceId: string;
  readonly Data?: { readonly Authority: string };
}

const answers: Answer[] = [];
const cloudFormation = http.createServer(async (request, response) => {
  answers.push((await json(request)) as Answer); // the answer of the function under test
  response.end();
});
let aws: Aws;
let clients: { acm: ACMClient; ssm: SSMClient };
let handler: ReturnType<typeof createHandler>;

before(async () => {
  for (const log of ['log', 'error'] as const) mock.method(console, log, () => {}); // Lambda's log
  await once(cloudFormation.listen(0, '127.0.0.1'), 'listening');
});
beforeEach(async (context) => {
  aws = new Aws();
  const config = {
    endpoint: await aws.start(),
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
  };
  clients = { acm: new ACMClient(config), ssm: new SSMClient(config) };
  const retry = { attempts: 3, intervalMs: 1 };
  handler = createHandler(new SelfIssuedCertificates(clients.acm, ssmAuthorityStore(clients.ssm), retry));
  if ('after' in context) {
    context.after(async () => {
      clients.acm.destroy();
      clients.ssm.destroy();
      await aws[Symbol.asyncDispose]();
    });
  }
});
after(() => {
  cloudFormation.closeAllConnections();
  cloudFormation.close();
});

/** Sends an event as CloudFormation does; returns the answer. */
async function send(event: Partial<ResourceEvent>): Promise<Answer> {
  const address = cloudFormation.address();
  assert(typeof address === 'object' && address);
  await handler({
    RequestType: 'Create',
    ResponseURL: `http://127.0.0.1:${address.port}/`,
    StackId: 'stack',
    RequestId: 'request',
    LogicalResourceId: 'Certificate',
    ResourceProperties: properties,
    ...event,
  });
  return answers.at(-1) ?? assert.fail('no answer');
}

test('create: a certificate in ACM, signed by an authority that is kept and told', async () => {
  const { Status, PhysicalResourceId: arn, Data } = await send({});
  assert.equal(Status, 'SUCCESS');
  const { Certificate, CertificateChain } = aws.certificates.get(arn) ?? assert.fail('not imported');
  assert.equal(CertificateChain.trim(), Data?.Authority.trim());
  const authority = new X509Certificate(CertificateChain);
  const certificate = new X509Certificate(Certificate);
  assert(certificate.verify(authority.publicKey));
  assert.equal(certificate.checkHost(properties.DnsName), properties.DnsName);
  // With its private key: an import with another's would be refused.
  assert.match(aws.parameters.get(parameter) ?? '', /BEGIN CERTIFICATE[\s\S]+BEGIN PRIVATE KEY/);
  assert(JSON.stringify(answers.at(-1)).length < 4096, 'what CloudFormation takes');
  assert.doesNotMatch(JSON.stringify(answers), /PRIVATE KEY/);
});

test('create: the certificate is tagged, which allows the function to change it and no other', async () => {
  const { PhysicalResourceId: arn } = await send({});
  assert.deepEqual(aws.tags.get(arn), [owner]);
});

test('update of one that an earlier version has made: it is tagged, and known from then on', async () => {
  const { PhysicalResourceId } = await send({});
  aws.tags.clear();
  aws.parameters.delete(`${parameter}/certificate`);
  await send({
    RequestType: 'Update',
    PhysicalResourceId,
    ResourceProperties: { ...properties, Owner: properties.AuthorityPrefix },
    OldResourceProperties: properties,
  });
  assert.deepEqual(aws.tags.get(PhysicalResourceId), [owner]);
  assert.equal(aws.parameters.get(`${parameter}/certificate`), PhysicalResourceId);
});

test('a replacement that is rolled back: the former certificate is taken again, and no other is left', async () => {
  const { PhysicalResourceId: former } = await send({});
  const other = { ...properties, DnsName: 'users-2.us-east-1.elb.amazonaws.com' };
  const { PhysicalResourceId } = await send({
    RequestType: 'Update',
    PhysicalResourceId: former,
    ResourceProperties: other,
    OldResourceProperties: properties,
  });
  const back = await send({ RequestType: 'Update', PhysicalResourceId, OldResourceProperties: other });
  assert.equal(back.PhysicalResourceId, former);
  await send({ RequestType: 'Delete', PhysicalResourceId, ResourceProperties: other });
  assert.deepEqual([...aws.certificates.keys()], [former]);
  assert.deepEqual([...aws.parameters.keys()], [parameter, `${parameter}/certificate`]);
});

test('an authority that is gone: no other is made, by a renewal or an update', async () => {
  const { PhysicalResourceId: arn } = await send({});
  const before = aws.certificates.get(arn);
  aws.parameters.delete(parameter);
  await assert.rejects(handler({ renew: { arn, properties } }), /the authority .+ is gone .+: restore it/);
  const update = {
    RequestType: 'Update',
    PhysicalResourceId: arn,
    OldResourceProperties: properties,
  } as const;
  const { Status, Reason } = await send(update);
  assert.equal(Status, 'FAILED');
  assert.match(Reason ?? '', /is gone/);
  assert.equal(aws.certificates.get(arn), before);
  assert(!aws.parameters.has(parameter));
});

test('a create whose place can not be kept: the certificate goes again', async () => {
  // The first parameter is the authority.
  aws.fail('PutParameter', 'InternalServerError', 1, 1);
  const { Status } = await send({});
  assert.equal(Status, 'FAILED');
  assert.equal(aws.certificates.size, 0);
});

test('update for the same name: nothing changes', async () => {
  const created = await send({});
  const updated = await send({
    RequestType: 'Update',
    PhysicalResourceId: created.PhysicalResourceId,
    OldResourceProperties: properties,
  });
  assert.deepEqual(updated, created);
  assert.equal(aws.calls.filter((call) => call === 'ImportCertificate').length, 1);
});

test('update for another name: another certificate and authority; the old ones go without the new', async () => {
  const created = await send({});
  const other = { ...properties, DnsName: 'users-2.us-east-1.elb.amazonaws.com' };
  const updated = await send({
    RequestType: 'Update',
    PhysicalResourceId: created.PhysicalResourceId,
    ResourceProperties: other,
    OldResourceProperties: properties,
  });
  assert.equal(updated.Status, 'SUCCESS');
  assert.notEqual(updated.PhysicalResourceId, created.PhysicalResourceId);
  assert.notEqual(updated.Data?.Authority, created.Data?.Authority);
  await send({ RequestType: 'Delete', PhysicalResourceId: created.PhysicalResourceId });
  assert.deepEqual([...aws.certificates.keys()], [updated.PhysicalResourceId]);
  const kept = `${properties.AuthorityPrefix}/${other.DnsName}`;
  assert.deepEqual([...aws.parameters.keys()], [kept, `${kept}/certificate`]);
});

test('delete: waits until nothing uses the certificate, then nothing is left; twice is no error', async () => {
  const { PhysicalResourceId } = await send({});
  aws.fail('DeleteCertificate', 'ResourceInUseException', 2);
  for (const _ of [1, 2]) {
    const { Status } = await send({ RequestType: 'Delete', PhysicalResourceId });
    assert.equal(Status, 'SUCCESS');
    assert.deepEqual([aws.certificates.size, aws.parameters.size], [0, 0]);
  }
});

test('delete of a certificate that stays in use: said so, and the authority kept', async () => {
  const { PhysicalResourceId } = await send({});
  aws.fail('DeleteCertificate', 'ResourceInUseException', 3);
  const { Status, Reason } = await send({ RequestType: 'Delete', PhysicalResourceId });
  assert.equal(Status, 'FAILED');
  assert.match(Reason ?? '', /^ResourceInUseException/);
  assert.equal(aws.parameters.size, 2);
});

test('a create that fails: told why, and what it left is deleted', async () => {
  aws.fail('ImportCertificate', 'LimitExceededException');
  const failed = await send({});
  assert.equal(failed.Status, 'FAILED');
  assert.match(failed.Reason ?? '', /^LimitExceededException/);
  assert.equal(aws.parameters.size, 1);
  // CloudFormation rolls back with the id that the failure had.
  const { Status } = await send({ RequestType: 'Delete', PhysicalResourceId: failed.PhysicalResourceId });
  assert.equal(Status, 'SUCCESS');
  assert.equal(aws.parameters.size, 0);
  assert(!aws.calls.includes('DeleteCertificate'));
});

test('properties that are missing: told which', async () => {
  const { Status, Reason } = await send({ ResourceProperties: { DnsName: 'a.b' } });
  assert.equal(Status, 'FAILED');
  assert.match(Reason ?? '', /DnsName and AuthorityPrefix are needed/);
});

test('renewal: under the same ARN, by the same authority, and only when it is time', async () => {
  const { PhysicalResourceId: arn } = await send({});
  const before = aws.certificates.get(arn);
  const renew = () => handler({ renew: { arn, properties } });

  aws.notAfter = new Date(Date.now() + 61 * dayMs);
  await renew();
  assert.equal(aws.certificates.get(arn), before, '61 days left are enough');

  aws.notAfter = new Date(Date.now() + 59 * dayMs);
  await renew();
  const renewed = aws.certificates.get(arn) ?? assert.fail('gone');
  assert.notEqual(renewed.Certificate, before?.Certificate);
  assert.equal(renewed.CertificateChain.trim(), before?.CertificateChain.trim());
  assert.equal(aws.certificates.size, 1);
});

test('a renewal that fails throws, so that Lambda tries again and counts an error', async () => {
  const { PhysicalResourceId: arn } = await send({});
  aws.fail('ImportCertificate', 'ThrottlingException');
  await assert.rejects(handler({ renew: { arn, properties } }), { name: 'ThrottlingException' });
});
