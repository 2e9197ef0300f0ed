// Proves, with the real process, that the Users service lets in whom its settings name, and nobody else: by keys,
// tokens and certificates, at its methods and at /users/; and that its log says who may call, and who did.
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { createUsersClient, type UsersClient, UsersError } from '../../client/client.ts';
import { createAuthority } from '../support/certificates.ts';
import { audience, startIssuer } from '../support/issuer.ts';
import { all } from '../support/outcome.ts';
import { runMain } from '../support/process.ts';

/** What a call ends with: OK, or its reason and message. */
async function endOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'OK';
  } catch (error) {
    assert.ok(error instanceof UsersError, String(error));
    return `${error.reason}: ${error.rawMessage}`;
  }
}

const create = (users: UsersClient) => endOf(users.createUser({ username: 'tom' }));
const get = async (users: UsersClient) => endOf(all(users.getUsers({ user: [{ username: 'alexa' }] })));

const missing = (scope: string) =>
  `MISSING_SCOPE: the caller has not the scope that the method needs: ${scope}`;
const nobody = 'NO_CREDENTIALS: the call needs a credential: authorization: Bearer, with a key or token';

const reader = 'usk_reader';
const writer = 'usk_writer';
const apiKeys = [
  { name: 'reader', scopes: ['users.read'], sha256: hash('sha256', reader) },
  { name: 'writer', scopes: ['users.write'], sha256: hash('sha256', writer) },
];
const closed = { API_KEYS: JSON.stringify(apiKeys), USERS_SAMPLES: '1' };

it('lets callers do what the scopes of their keys allow', async (t) => {
  const main = runMain(t, closed);
  const endpoint = await main.url();
  assert.equal((await main.line('listening')).auth, 'keys');
  const ends: Record<string, string[]> = {};
  for (const token of [undefined, reader, writer]) {
    using users = createUsersClient({ endpoint, token });
    ends[token ?? ''] = [await create(users), await get(users), await users.health()];
  }
  assert.deepEqual(ends, {
    '': [nobody, nobody, 'SERVING'],
    [reader]: [missing('users.write'), 'OK', 'SERVING'],
    [writer]: ['OK', missing('users.read'), 'SERVING'],
  });
  await main.stop();
  const log = main.printed();
  for (const caller of ['key:reader', 'key:writer']) assert.ok(log.includes(`"caller":"${caller}"`));
  for (const secret of [reader, writer]) assert.ok(!log.includes(secret));
});

it('/users/ says 401 and how to come in, 403 and what lacks, or shows users', async (t) => {
  const url = await runMain(t, closed).url();
  const ask = async (token?: string) => {
    const headers = token === undefined ? undefined : { authorization: `Bearer ${token}` };
    const answer = await fetch(`${url}/users/`, { headers });
    const [line = ''] = (await answer.text()).split('\n');
    return [answer.status, answer.headers.get('www-authenticate'), Object.keys(JSON.parse(line))[0]];
  };
  assert.deepEqual(await ask(), [401, 'Bearer', 'error']);
  assert.deepEqual(await ask('usk_wrong'), [401, 'Bearer error="invalid_token"', 'error']);
  const lacking = 'Bearer error="insufficient_scope", scope="users.read"';
  assert.deepEqual(await ask(writer), [403, lacking, 'error']);
  assert.deepEqual(await ask(reader), [200, null, 'user']);
});

it('lets callers do what the scopes of their tokens allow, and keys beside them', async (t) => {
  const issuer = await startIssuer(t);
  const signer = await issuer.add('one');
  const main = runMain(t, { ...closed, AUTH_ISSUER: issuer.url, AUTH_AUDIENCE: audience });
  const endpoint = await main.url();
  assert.equal((await main.line('listening')).auth, 'keys,jwt');
  const call = async (token: string) => {
    using users = createUsersClient({ endpoint, token });
    return [await create(users), await get(users)];
  };
  const token = await issuer.sign(signer, { scope: 'users.read' });
  assert.deepEqual(await call(token), [missing('users.write'), 'OK']);
  assert.deepEqual(await call(reader), [missing('users.write'), 'OK']);
  const bad = 'BAD_CREDENTIALS: the credential is not valid here';
  for (const none of ['usk_wrong', token.slice(0, -4)]) assert.deepEqual(await call(none), [bad, bad]);
  await main.stop();
  assert.ok(main.printed().includes('"caller":"token:alexa"'));
  assert.ok(!main.printed().includes(token));
});

it('says in its log that the keys of the issuer can not be fetched', async (t) => {
  const issuer = await startIssuer(t);
  const signer = await issuer.add('one');
  await issuer.behave('error');
  const main = runMain(t, { AUTH_ISSUER: issuer.url, AUTH_AUDIENCE: audience });
  using users = createUsersClient({
    endpoint: await main.url(),
    token: await issuer.sign(signer, { scope: 'users.read' }),
    retry: { maxAttempts: 1 },
  });
  assert.match(await get(users), /^ISSUER_UNAVAILABLE: /);
  await main.line('the keys of the issuer could not be fetched');
});

it('lets clients do what the scopes of their certificates allow', async (t) => {
  const authority = await createAuthority();
  const file = folderOf(t);
  const server = await authority.issue({ ip: ['127.0.0.1'] });
  const id = 'spiffe://example.org/reader';
  const main = runMain(t, {
    TLS_CERT_FILE: file('cert.pem', server.cert),
    TLS_KEY_FILE: file('key.pem', server.key),
    TLS_CLIENT_CA_FILE: file('ca.pem', authority.ca),
    TLS_CLIENTS: JSON.stringify({ [id]: ['users.read'], 'writer.example': ['users.write'] }),
  });
  const endpoint = await main.url();
  assert.equal((await main.line('listening')).auth, 'certificates');
  const call = async (names: Parameters<typeof authority.issue>[0]) => {
    using users = createUsersClient({
      endpoint,
      tls: { ca: authority.ca, ...(await authority.issue(names)) },
    });
    return [await create(users), await get(users)];
  };
  assert.deepEqual(await call({ uri: [id] }), [missing('users.write'), 'OK']);
  assert.deepEqual(await call({ dns: ['writer.example'] }), ['OK', missing('users.read')]);
  assert.deepEqual(await call({ dns: ['stranger.example'] }), [
    missing('users.write'),
    missing('users.read'),
  ]);
});

it('asks for a key besides the certificate where both are set', async (t) => {
  const authority = await createAuthority();
  const file = folderOf(t);
  const server = await authority.issue({ ip: ['127.0.0.1'] });
  const main = runMain(t, {
    ...closed,
    TLS_CERT_FILE: file('cert.pem', server.cert),
    TLS_KEY_FILE: file('key.pem', server.key),
    TLS_CLIENT_CA_FILE: file('ca.pem', authority.ca),
  });
  const endpoint = await main.url();
  const tls = { ca: authority.ca, ...(await authority.issue({ dns: ['tom.example'] })) };
  using users = createUsersClient({ endpoint, tls });
  assert.equal(await get(users), nobody);
  using known = createUsersClient({ endpoint, tls, token: reader });
  assert.equal(await get(known), 'OK');
  using stranger = createUsersClient({
    endpoint,
    tls: { ca: authority.ca },
    token: reader,
    retry: { maxAttempts: 1 },
  });
  await assert.rejects(stranger.createUser({ username: 'eve' }), /certificate/);
});

it('starts where others can reach it with a decision alone, and says in its log which', async (t) => {
  const main = runMain(t, { HOST: '0.0.0.0' });
  assert.deepEqual(await main.ended, { code: 1, signal: null });
  assert.match(
    main.errors(),
    /^HOST \(0\.0\.0\.0\) lets others reach the server, .* or AUTH=none, for everybody to call\n$/,
  );
  assert.equal((await runMain(t, { HOST: '0.0.0.0', AUTH: 'none' }).line('listening')).auth, 'open');
  assert.equal((await runMain(t).line('listening')).auth, 'open');
  assert.equal((await runMain(t, { HOST: '0.0.0.0', ...closed }).line('listening')).auth, 'keys');
});

function folderOf(t: TestContext): (name: string, text: string) => string {
  const folder = mkdtempSync(join(tmpdir(), 'users-closed-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return (name, text) => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
}
