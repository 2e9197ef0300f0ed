// Proves what a call carries beside its message: metadata of the client and of the call, what is refused of it, and
// bearer tokens.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Code, ConnectError, encodeBinaryHeader } from '@connectrpc/connect';
import { createUsersClient, UsersError } from '../../client/client.ts';
import { startListener, startServer } from './server.ts';

const tom = { username: 'tom' };

test('metadata: of the client, replaced by the call key by key; repeated; binary', async () => {
  const { server, seen } = await startListener();
  await using _ = server;
  const bytes = encodeBinaryHeader(new Uint8Array([0, 255, 10]));
  using client = createUsersClient({
    endpoint: server.endpoint,
    metadata: { ip: '127.0.0.1', tier: 'default', 'trace-bin': bytes },
  });
  await client.createUser(tom, {
    headers: [
      ['tier', 'a'],
      ['tier', 'b'],
    ],
  });
  const [headers] = seen;
  assert.equal(headers?.get('ip'), '127.0.0.1');
  assert.equal(headers?.get('tier'), 'a, b');
  assert.equal(headers?.get('trace-bin'), 'AP8K');
});

for (const [headers, message] of [
  [{ name: 'Zoë' }, 'metadata value of "name" must be printable ASCII'],
  [{ name: '名前' }, 'metadata value of "name" must be printable ASCII'],
  [{ name: 'a\tb' }, 'metadata value of "name" must be printable ASCII'],
  [{ 'x-bin': 'not base64!' }, 'metadata value of "x-bin" must be base64'],
  [{ 'a key': 'x' }, 'metadata key "a key" may have'],
  [{ 'grpc-timeout': '1S' }, 'metadata key "grpc-timeout" is used by the protocol'],
  [{ 'Content-Type': 'x' }, 'metadata key "Content-Type" is used by the protocol'],
] as [Record<string, string>, string][]) {
  test(`metadata ${JSON.stringify(headers)} is refused before anything is sent`, async () => {
    const { server, seen } = await startListener();
    await using _ = server;
    using client = createUsersClient({ endpoint: server.endpoint });
    await assert.rejects(
      client.createUser(tom, { headers }),
      (error) =>
        error instanceof UsersError &&
        error.code === Code.InvalidArgument &&
        error.rawMessage.startsWith(message),
    );
    assert.throws(() => createUsersClient({ metadata: headers }), UsersError);
    assert.equal(seen.length + server.sockets.length, 0);
  });
}

test('metadata of 60 KiB is sent; with a byte more, of the client or of the call, nothing is', async () => {
  const { server, seen } = await startListener();
  await using _ = server;
  // 32 bytes more each (RFC 9113 section 10.5.1).
  const half = 'x'.repeat(30 * 1024 - 33);
  const metadata = { a: half };
  using client = createUsersClient({ endpoint: server.endpoint, metadata });
  const refusal = {
    code: Code.ResourceExhausted,
    rawMessage: 'the metadata has 61441 bytes: more than 61440 are not sent',
    neverSent: true,
  };
  await assert.rejects(client.createUser(tom, { headers: { b: `${half}x` } }), refusal);
  assert.throws(() => createUsersClient({ metadata: { a: half, b: `${half}x` } }), refusal);
  assert.equal(server.sockets.length, 0);
  await client.createUser(tom, { headers: { b: half } });
  await client.createUser(tom, { headers: { a: `${half}${half}` } });
  assert.deepEqual(
    seen.map((headers) => [headers.get('a')?.length, headers.get('b')?.length]),
    [
      [half.length, half.length],
      [2 * half.length, undefined],
    ],
  );
});

test('a token is asked for before every attempt', async () => {
  const seen: (string | null)[] = [];
  await using server = await startServer({
    createUser(_, { requestHeader }) {
      seen.push(requestHeader.get('authorization'));
      if (seen.length === 1) throw new ConnectError('later', Code.Unavailable);
      return {};
    },
  });
  let asked = 0;
  using client = createUsersClient({
    endpoint: server.endpoint,
    token: async () => `t${++asked}`,
    retry: { initialBackoffMs: 1 },
  });
  await client.createUser(tom);
  await client.createUser(tom, { headers: { authorization: 'Basic x' } });
  assert.deepEqual(seen, ['Bearer t1', 'Bearer t2', 'Basic x']);
  using fixed = createUsersClient({ endpoint: server.endpoint, token: 'abc' });
  await fixed.createUser(tom);
  assert.equal(seen[3], 'Bearer abc');
  using broken = createUsersClient({ endpoint: server.endpoint, token: 'a\nb' });
  await assert.rejects(broken.createUser(tom), { code: Code.Unauthenticated });
});

test('a token that can not be had fails the call with the reason', async () => {
  await using server = await startServer();
  const cause = new Error('the token service is away');
  using client = createUsersClient({
    endpoint: server.endpoint,
    token() {
      throw cause;
    },
  });
  await assert.rejects(
    client.createUser(tom),
    (error) => error instanceof UsersError && error.cause === cause,
  );
});
