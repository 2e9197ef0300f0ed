// Proves that docs/settings.md lists every setting that the server reads, with its default, and every scope; that the
// certificate it shows how to make serves, and is trusted; that the admin port answers as it shows; that a server with
// the key it shows how to make is closed; and that one with telemetry as it shows sends traces.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { promisify } from 'node:util';
import { createUsersClient } from '../../client/client.ts';
import { limits } from '../../functions/limits.ts';
import { defaultAdminHost } from '../../functions/process/admin-settings.ts';
import { limitVariable } from '../../functions/process/limit-settings.ts';
import type { Environment } from '../../functions/process/settings.ts';
import { readConfig } from '../../functions/users/config.ts';
import { scopeNames, scopes } from '../../functions/users/scopes.ts';
import { receiveOtlp } from '../support/otlp-receiver.ts';
import { runMain } from '../support/process.ts';
import { blocksOf, examples, matches } from './blocks.ts';
import { closeServer } from './closed-server.ts';
import { page, rowsOf } from './tables.ts';

const rows = rowsOf(page('settings.md'));

it('lists each setting', () => {
  const read = new Set<string>();
  const watched = new Proxy<Environment>({}, { get: (_, name) => void read.add(String(name)) });
  readConfig(watched);
  for (const name of Object.keys(limits)) read.delete(limitVariable(name)); // docs/limits.md has those
  assert.deepEqual(rows.map(([name]) => name).sort(), [...read].sort());
});

it('names the defaults', () => {
  const config = readConfig({});
  const { host, port, workers, store, log, samples, hasConsole, trustedProxies, telemetry } = config;
  const defaults = {
    HOST: host,
    PORT: String(port),
    WORKERS: String(workers),
    ADMIN_HOST: defaultAdminHost,
    USERS_STORE: store.kind,
    USERS_DATA: store.kind === 'sqlite' ? store.dataFolder : '',
    TRUSTED_PROXIES: String(trustedProxies),
    REQUEST_ID_HEADER: config.requestIdHeader,
    HTTP2_ENGINE: config.http2Engine,
    LOG_LEVEL: log.level,
    LOG_FORMAT: log.format,
    USERS_SAMPLES: samples ? '1' : '0',
    CONSOLE: hasConsole ? '1' : '0',
    TRACE_PARENTS: telemetry.tracing.followsParents ? 'follow' : 'link',
  };
  const documented = rows
    .map(([name, value]) => [name, value])
    .filter(([, value]) => !value?.startsWith('|'));
  assert.deepEqual(Object.fromEntries(documented), defaults);
});

it('makes a key that lets in', (t) => closeServer(t, 'docs/settings.md'));

it('has each scope, and what it lets call', () => {
  const documented = page('settings.md').matchAll(/^\| (\w+\.\w+) \| (.+) \|$/gm);
  const calls = scopeNames.map((scope) => {
    const paths = Object.keys(scopes).filter((path) => scopes[path]?.includes(scope));
    // A path without its slash leads to the same.
    const names = paths.map((path) => path.replace('/Users/', '')).filter((path) => path !== '/users');
    return [scope, names.map((name) => `\`${name}\``).join(', ')];
  });
  assert.deepEqual(
    [...documented].map(([, scope, what]) => [scope, what]),
    calls,
  );
});

it('sends traces to the collector that it names', async (t) => {
  const block = blocksOf('docs/settings.md').find(
    ({ section, language }) => section === 'Telemetry' && language === 'sh',
  );
  const line = block?.text.split('\n').find((it) => it.endsWith(' npm start')) ?? assert.fail('no command');
  const given = Object.fromEntries(
    [...line.matchAll(/(\w+)=(\S+)/g)].map(([, name, value]) => [name, value]),
  );
  const receiver = await receiveOtlp(t);
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, ...others } = given;
  assert.equal(endpoint, 'http://127.0.0.1:4318');
  const main = runMain(t, { ...others, OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url });
  using users = createUsersClient({ endpoint: await main.url() });
  await users.createUser({ username: 'tom' });
  await main.stop();
  const [sent, ...more] = receiver.received;
  assert.deepEqual(more, []);
  assert.equal(sent?.path, '/v1/traces');
  assert.ok(sent.body.includes('Users/CreateUser'));
});

it('makes a certificate that serves', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'users-certificate-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const openssl = blocksOf('docs/settings.md').find(({ text }) => text.startsWith('openssl '));
  execFileSync('bash', ['-c', openssl?.text ?? assert.fail('no command')], { cwd: folder, stdio: 'pipe' });
  const file = (name: string) => join(folder, name);
  const main = runMain(t, { TLS_CERT_FILE: file('cert.pem'), TLS_KEY_FILE: file('key.pem') });
  using users = createUsersClient({
    endpoint: await main.url(),
    tls: { ca: readFileSync(file('cert.pem')) },
  });
  assert.equal((await users.createUser({ username: 'tom' })).user?.username, 'tom');
});

it('shows what the admin port answers', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'users-admin-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const block = blocksOf('docs/settings.md').find(({ section }) => section === 'The admin port');
  const commands = examples(block ?? assert.fail('no commands'));
  assert.ok(commands.length > 4);
  const main = runMain(t, { ADMIN_PORT: '0' });
  const { adminPort } = await main.line('listening');
  for (const { command, output } of commands) {
    const script = command.replace('127.0.0.1:9464', `127.0.0.1:${adminPort}`);
    const { stdout } = await promisify(execFile)('bash', ['-c', script], { cwd: folder });
    assert.ok(matches(stdout, output), `${command}: ${stdout}`);
  }
  const snapshot: unknown = JSON.parse(readFileSync(join(folder, 'users.heapsnapshot'), 'utf8'));
  assert.ok(typeof snapshot === 'object' && snapshot !== null && 'snapshot' in snapshot);
  await main.stop();
});
