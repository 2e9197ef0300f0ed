// Proves that requests to CloudWatch's own endpoints carry a signature (SigV4) that is right, by an own calculation of
// it, anew for each attempt; and that throttling, network errors and refusals are treated as OTLP says.
import assert from 'node:assert/strict';
import { createHmac, hash } from 'node:crypto';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { OtlpEndpoint } from '../../../functions/process/otlp/settings.ts';
import { type Credentials, SignedTransport } from '../../../functions/process/otlp/signed-transport.ts';
import { type Answer, type Received, receiveOtlp } from '../../support/otlp-receiver.ts';

const signing = { service: 'xray', region: 'eu-central-1' };
const identity = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'the secret', sessionToken: 'of a session' };
const data = Buffer.from('what is sent');
const longMs = 10_000;

function transportTo(url: string, more: Partial<OtlpEndpoint> = {}, credentials: Credentials = identity) {
  const headers = { 'Content-Type': 'application/x-protobuf', 'x-own': 'a  b' };
  const endpoint = { url, headers, timeoutMs: longMs, compression: 'none', ca: undefined, ...more } as const;
  return new SignedTransport(endpoint, signing, credentials);
}

/**
 * The signature as https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html has it.
 */
function assertSigned({ path, headers }: Received, sentBytes: Buffer): void {
  const { authorization = '' } = headers;
  const [, key, day, region, service, names, signature] =
    /^AWS4-HMAC-SHA256 Credential=(\w+)\/(\d{8})\/([\w-]+)\/(\w+)\/aws4_request, SignedHeaders=([\w;-]+), Signature=(\w{64})$/.exec(
      authorization,
    ) ?? assert.fail(authorization);
  assert.equal(key, identity.accessKeyId);
  assert.equal(region, signing.region);
  assert.equal(service, signing.service);
  const signed = names?.split(';') ?? [];
  for (const name of ['host', 'x-amz-date', 'x-amz-security-token', 'x-own', 'content-type']) {
    assert.ok(signed.includes(name), `${name} is not signed`);
  }
  const bodyHash = hash('sha256', sentBytes, 'hex');
  const shownOf = (name: string) => String(headers[name]).trim().replace(/\s+/g, ' ');
  const canonical = [
    'POST',
    path,
    '',
    ...signed.map((name) => `${name}:${shownOf(name)}`),
    '',
    names,
    bodyHash,
  ].join('\n');
  const date = String(headers['x-amz-date']);
  assert.ok(date.startsWith(day ?? '?'));
  const scope = `${day}/${region}/${service}/aws4_request`;
  const text = ['AWS4-HMAC-SHA256', date, scope, hash('sha256', canonical, 'hex')].join('\n');
  const hmac = (secret: string | Buffer, of: string) => createHmac('sha256', secret).update(of).digest();
  const signingKey = [day, region, service, 'aws4_request'].reduce<string | Buffer>(
    (secret, part) => hmac(secret, part ?? ''),
    `AWS4${identity.secretAccessKey}`,
  );
  assert.equal(signature, hmac(signingKey, text).toString('hex'));
}

describe('a signed request', () => {
  for (const compression of ['none', 'gzip'] as const) {
    it(`is right, compression: ${compression}`, async (t) => {
      const receiver = await receiveOtlp(t, (_, response) => response.end('answer'));
      const transport = transportTo(`${receiver.url}/v1/traces`, { compression });
      t.after(() => transport.shutdown());
      const response = await transport.send(data, longMs);
      assert.deepEqual(response, { status: 'success', data: Buffer.from('answer') });
      const [request] = receiver.received;
      assert.ok(request !== undefined);
      assert.deepEqual(request.body, data);
      assert.equal(request.headers['x-amz-security-token'], identity.sessionToken);
      assertSigned(request, compression === 'gzip' ? gzipSync(data) : data);
    });
  }

  it('is signed anew for each attempt, with the credentials of then', async (t) => {
    const answer: Answer = (number, response) => {
      if (number < 2) response.writeHead(number === 0 ? 429 : 503, { 'retry-after': '0' });
      response.end();
    };
    const receiver = await receiveOtlp(t, answer);
    let asked = 0;
    const credentials = async () => {
      asked += 1;
      // Expired, so that they are asked for anew.
      return { ...identity, sessionToken: `session ${asked}`, expiration: new Date(0) };
    };
    const transport = transportTo(`${receiver.url}/v1/traces`, {}, credentials);
    t.after(() => transport.shutdown());
    assert.equal((await transport.send(data, longMs)).status, 'success');
    const tokens = receiver.received.map(({ headers }) => headers['x-amz-security-token']);
    assert.equal(tokens.length, 3);
    assert.equal(new Set(tokens).size, 3);
    for (const request of receiver.received) assertSigned(request, data);
  });
});

describe('an answer', () => {
  it('that refuses is not asked for again', async (t) => {
    const receiver = await receiveOtlp(t, (_, response) => response.writeHead(403).end('not you'));
    const transport = transportTo(receiver.url);
    t.after(() => transport.shutdown());
    const response = await transport.send(data, longMs);
    assert.equal(response.status, 'failure');
    assert.ok(!JSON.stringify(response).includes('not you'));
    assert.equal(receiver.received.length, 1);
  });

  it('that wants a longer pause than there is time ends the export', async (t) => {
    const answer: Answer = (_, response) => response.writeHead(503, { 'retry-after': '60' }).end();
    const receiver = await receiveOtlp(t, answer);
    const transport = transportTo(receiver.url);
    t.after(() => transport.shutdown());
    assert.equal((await transport.send(data, longMs)).status, 'retryable');
    assert.equal(receiver.received.length, 1);
  });

  it('that does not come ends the export at its time', async (t) => {
    const receiver = await receiveOtlp(t, () => {});
    const transport = transportTo(receiver.url);
    t.after(() => transport.shutdown());
    assert.equal((await transport.send(data, 50)).status, 'retryable');
  });

  it('is read no further than 64 KiB', async (t) => {
    const receiver = await receiveOtlp(t, (_, response) => response.end(Buffer.alloc(10 * 1024 * 1024)));
    const transport = transportTo(receiver.url);
    t.after(() => transport.shutdown());
    const response = await transport.send(data, longMs);
    assert.ok(response.status === 'success' && (response.data?.length ?? 0) <= 64 * 1024);
  });
});

it('credentials that can not be had are told of', async () => {
  const credentials = async () => Promise.reject(new Error('no credentials'));
  const transport = transportTo('http://127.0.0.1:1', {}, credentials);
  const response = await transport.send(data, 100);
  assert.ok(response.status === 'retryable');
  assert.equal(response.error?.message, 'no credentials');
});
