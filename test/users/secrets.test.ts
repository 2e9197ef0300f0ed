// Proves that no secret leaves the process: one that is marked goes in by every way there is, well and wrongly, with a
// key and without, and is neither in what the process writes, whatever the format and level of its log, nor in what
// others get. Only what is there to be logged may hold one: `x-request-id`, and with LOG_FORMAT=pretty the values that
// are known to be harmless.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it, type TestContext } from 'node:test';
import tls from 'node:tls';
import { createUsersClient } from '../../client/client.ts';
import { createAuthority } from '../support/certificates.ts';
import { withPatience } from '../support/patience.ts';
import { ServerProcess } from '../support/process.ts';
import { requestHttp1, requestHttp2 } from '../support/raw-request.ts';
import { attempts, inBase64, key, mark } from './secret-attempts.ts';

const folder = mkdtempSync(join(tmpdir(), 'users-secrets-'));
after(() => rmSync(folder, { recursive: true }));
const authority = await createAuthority();
const pair = await authority.issue({ ip: ['127.0.0.1'], dns: ['localhost'] });
const file = (name: string, text: string) => {
  writeFileSync(join(folder, name), text, { mode: 0o600 });
  return join(folder, name);
};

function assertSecret(what: string, text: string): void {
  for (const line of text.split('\n')) {
    const found = [mark, ...inBase64].find((it) => line.toLowerCase().includes(it.toLowerCase()));
    assert.equal(found, undefined, `${what}: ${line}`);
  }
}

const error = `Object.assign(new Error(secret, { cause: new TypeError(secret) }), { headers: { secret }, code: secret })`;
const crashes = {
  'an error': `throw ${error}`,
  'an error of many lines': `throw new Error(secret + '\\n    at ' + secret)`,
  'a promise': `Promise.reject(${error})`,
  'JSON that breaks': 'JSON.parse(secret)',
};

for (const format of ['json', 'pretty'] as const) {
  describe(`LOG_FORMAT=${format}`, () => {
    it('what comes with requests stays in the process', async (t) => {
      const { main, port } = await start(t, format);
      const endpoint = `https://127.0.0.1:${port}`;
      const secure = { port, host: '127.0.0.1', ca: authority.ca };
      const session = http2.connect(endpoint, { ca: authority.ca });
      session.setMaxListeners(0);
      t.after(() => session.destroy());
      for (const attempt of attempts) {
        for (const authorization of [attempt.headers?.authorization, `Bearer ${key}`]) {
          const headers =
            authorization === undefined ? attempt.headers : { ...attempt.headers, authorization };
          for (const exchange of [
            requestHttp2(session, { ...attempt, headers }),
            requestHttp1(endpoint, { ...attempt, headers }, { createConnection: () => tls.connect(secure) }),
          ]) {
            exchange.read();
            exchange.request.end(attempt.body);
            assert.ok(
              await withPatience(exchange.closed.then(() => true)),
              `no answer: ${JSON.stringify(attempt)}`,
            );
          }
        }
      }
      using users = createUsersClient({ endpoint, tls: { ca: authority.ca }, token: key });
      const tom = { username: 'tom', email: `${mark}@example.com`, password: mark };
      await users.createUser(tom);
      await assert.rejects(users.createUser(tom));
      const answers: unknown[] = [];
      for await (const { result } of users.getUsers({ user: [{ username: 'tom' }] }))
        answers.push(result.value);
      const named = { key: { case: 'username', value: 'tom' } } as const;
      const addressed = { key: { case: 'email', value: tom.email } } as const;
      answers.push(await users.checkPassword({ key: named, password: mark }));
      answers.push(await users.checkPassword({ key: addressed, password: mark }));
      await assert.rejects(users.checkPassword({ key: addressed, password: `${mark}?` }));
      answers.push(await users.listUsers({}));
      const changed = { email: `${mark}@example.org`, password: `${mark}!` };
      await users.updateUser({ key: addressed, ...changed, requestId: randomUUID() });
      await users.getAccount({ key: { key: { case: 'email', value: changed.email } } });
      await assert.rejects(users.updateUser({ key: named, ...changed, etag: mark }));
      answers.push(await users.deleteUser({ key: { key: { case: 'email', value: changed.email } } }));
      answers.push(await users.deleteUser({ key: { key: { case: 'email', value: changed.email } } }));
      await assert.rejects(users.createUser(changed));
      assertSecret('an answer to others', JSON.stringify(answers));
      await endAndLook(main);
      const lines = main.printed().split('\n').length;
      assert.ok(lines > 2 * attempts.length, `${lines} lines of ${attempts.length} attempts`);
    });

    it('what is no request stays in the process', async (t) => {
      const { main, port } = await start(t, format);
      const said = async (socket: net.Socket, bytes: string) => {
        socket.on('error', () => {});
        socket.write(bytes);
        socket.resume();
        await withPatience(new Promise((resolve) => socket.once('close', resolve)));
      };
      const secure = {
        port,
        host: '127.0.0.1',
        ca: authority.ca,
        servername: `${mark}.example`,
        checkServerIdentity: () => undefined,
      };
      for (const bytes of [
        `${mark} / HTTP/1.1\r\n\r\n`,
        `GET /${mark} HTTP/${mark}\r\n\r\n`,
        `GET / HTTP/1.1\r\n${mark}\r\n\r\n`,
        `GET / HTTP/1.1\r\nhost: ${mark} ${mark}\r\nconnection: close\r\n\r\n`,
        `GET http://me:${mark}@here/${mark} HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n`,
        `CONNECT ${mark}:443 HTTP/1.1\r\nhost: ${mark}\r\n\r\n`,
        `POST /Users/CreateUser HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n${mark}\r\n`,
      ]) {
        await said(tls.connect(secure), bytes);
        await said(net.connect({ port, host: '127.0.0.1' }), bytes);
      }
      await said(tls.connect({ ...secure, ALPNProtocols: [mark] }), '');
      await said(tls.connect({ ...secure, maxVersion: 'TLSv1.1', minVersion: 'TLSv1.1' }), '');
      await said(tls.connect({ ...secure, ALPNProtocols: ['h2'] }), `${mark} no preface of HTTP/2 at all`);
      await endAndLook(main);
    });

    for (const [what, thrown] of Object.entries(crashes)) {
      it(`a crash, of ${what}, does not show it`, async (t) => {
        const { main } = await start(t, format, `process.on('SIGUSR2', () => { ${thrown} });`);
        main.child.kill('SIGUSR2');
        const { code, signal } = await main.ended;
        assert.ok(code !== 0 || signal !== null);
        assertSecret('stdout', main.printed());
        assertSecret('stderr', main.errors());
        // But where it came from.
        assert.match(main.printed() + main.errors(), /crash\.mjs/);
      });
    }
  });
}

/** Starts it, with a program that is run in it before. */
async function start(
  t: TestContext,
  format: 'json' | 'pretty',
  program = '',
): Promise<{ main: ServerProcess; port: number }> {
  const crash = file('crash.mjs', `const { SECRET: secret } = process.env;\n${program}`);
  const main = new ServerProcess({
    args: ['--import', crash, 'functions/main.ts'],
    settings: {
      SECRET: mark,
      API_KEY: key,
      USERS_STORE: 'memory',
      LOG_FORMAT: format,
      LOG_LEVEL: 'trace',
      // Each call has its line, to be looked at.
      MAX_REFUSED_LINES_PER_SECOND: '1000000',
      TLS_CERT_FILE: file('cert.pem', pair.cert),
      TLS_KEY_FILE: file('key.pem', pair.key),
      HANDSHAKE_TIMEOUT_MS: '1000',
    },
  });
  t.after(() => main.kill());
  if (format === 'json') return { main, port: Number((await main.line('listening')).port) };
  await main.prints('/users/');
  const [, port] = /https:\/\/127\.0\.0\.1:(\d+)/.exec(main.printed()) ?? assert.fail(main.printed());
  return { main, port: Number(port) };
}

async function endAndLook(main: ServerProcess): Promise<void> {
  await main.stop();
  assert.ok(main.printed().length > 0);
  assertSecret('stdout', main.printed());
  assertSecret('stderr', main.errors());
}
