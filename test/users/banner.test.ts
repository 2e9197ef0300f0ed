// Proves that the banner names the place where the server listens, and only commands that work there.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { banner } from '../../functions/users/banner.ts';
import { readConfig } from '../../functions/users/config.ts';

const address = { port: 4000 };
const commandsOf = (text: string) => text.split('\n').filter((line) => /^ {4}(?:cd|npx|curl) /.test(line));

it('all addresses are named as such, and the commands go to loopback', () => {
  for (const [host, url] of [
    ['0.0.0.0', 'http://127.0.0.1:4000'],
    ['::', 'http://[::1]:4000'],
  ] as const) {
    const text = banner(readConfig({ HOST: host, AUTH: 'none' }), address);
    assert.match(text, / {4}listens at {3}all addresses, port 4000 {3}\(gRPC, gRPC-Web, Connect\)\n/);
    const [, ...rest] = commandsOf(text);
    assert.equal(rest.length, 5);
    for (const line of rest) assert.ok(line.includes(url), line);
  }
});

it('with TLS, each command trusts the certificate', () => {
  const files = { TLS_CERT_FILE: '/tls/cert.pem', TLS_KEY_FILE: '/tls/key.pem' };
  const trusting = (env: Record<string, string>) =>
    commandsOf(banner(readConfig(env), address)).filter((it) =>
      / --(?:ca|cacert) \/tls\/cert\.pem /.test(it),
    );
  assert.equal(trusting(files).length, 5);
  const mutual = trusting({ ...files, TLS_CLIENT_CA_FILE: '/tls/ca.pem' });
  assert.equal(mutual.filter((line) => line.includes(' --cert CLIENT.pem --key ')).length, 5);
});

it('a path with spaces stays one word', () => {
  const lines = commandsOf(banner(readConfig({ HOST: "unix:/tom's run/users.sock" }), address));
  const words = ["'unix:/tom'\\''s run/users.sock'", "'/tom'\\''s run/users.sock'"];
  assert.equal(lines.filter((line) => words.some((word) => line.includes(` ${word}`))).length, 5);
});

it('names the console where that is on, and a browser can get there', () => {
  const shown = (env: Record<string, string>) => banner(readConfig(env), address);
  assert.match(
    shown({ CONSOLE: '1', HOST: '::', AUTH: 'none' }),
    / {4}in browsers {2}open http:\/\/\[::1\]:4000\/ /,
  );
  const tls = { TLS_CERT_FILE: '/tls/cert.pem', TLS_KEY_FILE: '/tls/key.pem' };
  assert.match(shown({ CONSOLE: '1', ...tls }), /open https:\/\/127\.0\.0\.1:4000\/ /);
  assert.doesNotMatch(shown({}), /browsers/);
  assert.doesNotMatch(shown({ CONSOLE: '1', HOST: 'unix:/run/users.sock' }), /browsers/);
});

it('the bundle, which has no command line, names those of curl alone', () => {
  const lines = commandsOf(banner(readConfig({}), address, undefined, false));
  assert.equal(lines.length, 2);
  for (const line of lines) assert.match(line, /^ {4}curl /);
});

it('says who may call, and the commands show a credential by the name of its file', () => {
  const key = 'usk_0123456789abcdefghijklmnop';
  const files = {
    TLS_CERT_FILE: '/tls/cert.pem',
    TLS_KEY_FILE: '/tls/key.pem',
    TLS_CLIENT_CA_FILE: '/tls/ca.pem',
  };
  const issuer = { AUTH_ISSUER: 'https://issuer.example', AUTH_AUDIENCE: 'users' };
  for (const [env, callers, file] of [
    [{}, 'everybody: no credential is needed', undefined],
    [{ API_KEY: key }, 'callers with an API key', 'key.txt'],
    [issuer, 'callers with a token of the issuer', 'token.txt'],
    [files, 'clients with a certificate', undefined],
    [
      { ...files, API_KEY: key },
      'callers with an API key; the connection needs a certificate besides',
      'key.txt',
    ],
    [
      { ...issuer, API_KEY: key },
      'callers with an API key, or callers with a token of the issuer',
      'key.txt',
    ],
  ] as const) {
    const text = banner(readConfig(env), address);
    assert.ok(text.includes(`\n    open to      ${callers}\n`), text);
    assert.ok(!text.includes(key));
    const [, ...calls] = commandsOf(text);
    const shown = calls.filter((it) =>
      / (?:--token-file |-H "authorization: Bearer \$\(cat )(?:key|token)\.txt/.test(it),
    );
    assert.equal(shown.length, file === undefined ? 0 : 5, text);
    for (const line of shown) assert.ok(line.includes(` ${file}`));
  }
});

it('names the admin port where there is one', () => {
  const text = banner(readConfig({ ADMIN_PORT: '0' }), address, { address: '127.0.0.1', port: 9464 });
  assert.match(text, /\n {4}admin port {3}http:\/\/127\.0\.0\.1:9464 {3}\(.*\)\n\n/);
  assert.doesNotMatch(banner(readConfig({}), address), /admin port|\n\n\n/);
});
