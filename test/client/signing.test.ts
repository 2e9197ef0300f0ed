// Proves that a client signs each attempt of a call for AWS (SigV4), over HTTP/1.1 in both protocols that work there,
// with the hash of the very body that is sent, by an own calculation of the signature; that its connections are kept
// for further calls; and that options which exclude each other are refused.
import assert from 'node:assert/strict';
import { createHmac, hash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { create, toBinary } from '@bufbuild/protobuf';
import { createUsersClient } from '../../client/client.ts';
import { CreateUserResultSchema } from '../../proto/gen/users_types_pb.js';
import { frame } from '../support/frames.ts';
import { listen } from '../support/listener.ts';

const credentials = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'the secret',
  sessionToken: 'of a session',
};
const iam = { region: 'eu-central-1', credentials };

/** As https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html has it. */
function assertSigned({ url, headers, method }: IncomingMessage, body: Buffer): void {
  const [, day, names = '', signature] =
    /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/(\d{8})\/eu-central-1\/lambda\/aws4_request, SignedHeaders=([\w;-]+), Signature=(\w{64})$/.exec(
      headers.authorization ?? '',
    ) ?? assert.fail(headers.authorization);
  assert.deepEqual(names.split(';'), ['host', 'x-amz-content-sha256', 'x-amz-date', 'x-amz-security-token']);
  const bodyHash = hash('sha256', body, 'hex');
  assert.equal(headers['x-amz-content-sha256'], bodyHash);
  const lines = names.split(';').map((name) => `${name}:${headers[name]}`);
  const canonical = [method, url, '', ...lines, '', names, bodyHash].join('\n');
  const scope = `${day}/eu-central-1/lambda/aws4_request`;
  const text = ['AWS4-HMAC-SHA256', headers['x-amz-date'], scope, hash('sha256', canonical, 'hex')].join(
    '\n',
  );
  const hmac = (key: string | Buffer, of: string) => createHmac('sha256', key).update(of).digest();
  const key = [day ?? '', 'eu-central-1', 'lambda', 'aws4_request'].reduce<string | Buffer>(
    hmac,
    `AWS4${credentials.secretAccessKey}`,
  );
  assert.equal(signature, hmac(key, text).toString('hex'));
}

describe('calls that are signed for AWS', () => {
  for (const protocol of ['connect', 'grpc-web'] as const) {
    it(`by ${protocol}: each attempt anew, on connections that are kept`, async () => {
      const signatures: string[] = [];
      const server = createServer(async (request, response) => {
        assertSigned(request, await buffer(request));
        signatures.push(String(request.headers.authorization));
        if (signatures.length === 1) return void response.writeHead(503).end();
        answer(response, protocol);
      });
      await using listener = await listen(server);
      using client = createUsersClient({ endpoint: listener.endpoint, protocol, httpVersion: '1.1', iam });
      for (let n = 0; n < 3; n++) await client.createUser({ username: 'tom' });
      assert.equal(signatures.length, 4);
      // The connection of the refusal is left, as nobody reads that to its end.
      assert.equal(listener.sockets.length, 2);
    });
  }

  it('need a region, and no token besides', () => {
    const endpoint = 'https://users.example.com';
    assert.throws(() => createUsersClient({ endpoint, protocol: 'connect', iam: {} }), /iam needs a region/);
    const both = { endpoint, protocol: 'connect', iam, token: 'a-token' } as const;
    assert.throws(() => createUsersClient(both), /token and iam exclude each other/);
    const named = 'https://b.b7t.lambda-web.us-east-1.on.aws';
    createUsersClient({ endpoint: named, protocol: 'connect', httpVersion: '1.1', iam: {} }).close();
  });
});

function answer(response: ServerResponse, protocol: 'connect' | 'grpc-web'): void {
  const message = toBinary(
    CreateUserResultSchema,
    create(CreateUserResultSchema, { user: { username: 'tom' } }),
  );
  if (protocol === 'connect') {
    response.writeHead(200, { 'content-type': 'application/proto' }).end(message);
  } else {
    response.writeHead(200, { 'content-type': 'application/grpc-web+proto' });
    response.end(Buffer.concat([frame(message), frame(Buffer.from('grpc-status: 0\r\n'), 0x80)]));
  }
}
