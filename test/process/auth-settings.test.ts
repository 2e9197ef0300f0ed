// Proves that settings say who may call as docs/settings.md has it: that no server which others can reach starts
// without a decision, that contradictions and what can't be used are told in a line each, and that no line shows
// anything of what was set, whatever it is and in whichever setting: it may be a secret.
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { type AuthConfig, authKinds, readAuthSettings } from '../../functions/process/auth-settings.ts';
import { authWays } from '../../functions/process/auth-ways.ts';
import { readServerSettings } from '../../functions/process/server-settings.ts';
import { ConfigError, type Environment, Settings } from '../../functions/process/settings.ts';
import { rpcLimits } from '../../functions/rpc/index.ts';
import { requestOf } from '../rpc/auth/request.ts';

const folder = mkdtempSync(join(tmpdir(), 'users-auth-'));
after(() => rmSync(folder, { recursive: true }));

function read(env: Environment): { auth: AuthConfig; problems: readonly string[] } {
  const settings = new Settings(env);
  const server = readServerSettings(settings);
  const auth = readAuthSettings(settings, server, ['a.read', 'a.write'], { maxApiKeys: 2 });
  try {
    settings.check();
  } catch (error) {
    assert.ok(error instanceof ConfigError, `not a ConfigError: ${error}`);
    return { auth, problems: error.problems };
  }
  return { auth, problems: [] };
}

function readWell(env: Environment): AuthConfig {
  const { auth, problems } = read(env);
  assert.deepEqual(problems, []);
  return auth;
}

const key = 'usk_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG';
const sha256 = hash('sha256', key);
const entry = { name: 'billing', scopes: ['a.read'], sha256 };
const apiKeys = JSON.stringify([entry]);
const tls = { TLS_CERT_FILE: 'cert.pem', TLS_KEY_FILE: 'key.pem' };
const mutual = { ...tls, TLS_CLIENT_CA_FILE: 'ca.pem' };
const issuer = { AUTH_ISSUER: 'https://issuer.example', AUTH_AUDIENCE: 'users' };
const header = { TLS_CLIENT_HEADERS: 'alb', TRUSTED_PROXIES: '1' };

const decisions: Record<string, Environment> = {
  'AUTH=none': { AUTH: 'none' },
  API_KEYS: { API_KEYS: apiKeys },
  API_KEY: { API_KEY: key },
  AUTH_ISSUER: issuer,
  TLS_CLIENT_CA_FILE: mutual,
  TLS_CLIENT_HEADERS: header,
};

describe('without a decision', () => {
  for (const HOST of [
    '',
    '127.0.0.1',
    '127.1.2.3',
    '::1',
    '0:0:0:0:0:0:0:1',
    '::ffff:127.0.0.1',
    'localhost',
    'unix:/a',
  ]) {
    it(`everybody may call at ${HOST || 'the default address'}`, () => {
      const auth = readWell({ HOST });
      assert.deepEqual([authKinds(auth), auth.isReflectionOpen], [[], true]);
    });
  }
  for (const HOST of [
    '0.0.0.0',
    '::',
    '192.0.2.1',
    '128.0.0.1',
    '::2',
    'localhost.example',
    'host',
    '127.1',
    '::ffff:1.2.3.4',
  ]) {
    it(`nothing starts at ${HOST}`, () => {
      assert.deepEqual(read({ HOST }).problems, [
        `HOST (${HOST}) lets others reach the server, and nothing says who may call: set API_KEYS (\`npx users key new\` makes one), ` +
          'AUTH_ISSUER and AUTH_AUDIENCE, or TLS_CLIENT_CA_FILE; or AUTH=none, for everybody to call',
      ]);
      for (const decision of Object.values(decisions)) readWell({ HOST, ...decision });
    });
  }
});

describe('behind a proxy that is declared', () => {
  for (const HOST of ['127.0.0.1', 'unix:/a']) {
    it(`nothing starts at ${HOST} without a decision`, () => {
      const env = { HOST, TRUSTED_PROXIES: '2' };
      assert.deepEqual(read(env).problems, [
        'TRUSTED_PROXIES (2) lets others reach the server, and nothing says who may call: set API_KEYS (`npx users key new` makes one), ' +
          'AUTH_ISSUER and AUTH_AUDIENCE, or TLS_CLIENT_CA_FILE; or AUTH=none, for everybody to call',
      ]);
      for (const decision of Object.values(decisions)) readWell({ ...env, ...decision });
    });
  }
});

describe('reads', () => {
  it('keys, of a list, of a file, and as they are', async () => {
    const file = join(folder, 'keys.json');
    writeFileSync(file, apiKeys);
    const expected = { name: 'billing', scopes: ['a.read'], sha256: Buffer.from(sha256, 'hex') };
    for (const env of [{ API_KEYS: apiKeys }, { API_KEYS_FILE: file }]) {
      assert.deepEqual(readWell(env).keys, [expected]);
    }
    const everything = { ...expected, name: 'default', scopes: ['*'] };
    assert.deepEqual(readWell({ API_KEY: ` ${key}\n` }).keys, [everything]);
    const other = `${key}2`;
    const auth = readWell({ API_KEY: `${key} ${other}` });
    const [way, ...rest] = await authWays(auth, rpcLimits, { warn: () => {} });
    assert.deepEqual([rest, authKinds(auth)], [[], ['keys']]);
    for (const shown of [key, other]) {
      const caller = await way?.identify(requestOf({ headers: { authorization: `Bearer ${shown}` } }));
      assert.equal(caller?.id, 'key:default');
    }
  });

  it('keys of several settings together', () => {
    const auth = readWell({ API_KEYS: apiKeys, API_KEY: `${key}2` });
    assert.deepEqual(
      auth.keys.map(({ name }) => name),
      ['billing', 'default'],
    );
  });

  it('an issuer, also one on this machine', () => {
    const { tokens } = readWell(issuer);
    assert.deepEqual(tokens, { issuer: 'https://issuer.example', audience: 'users', jwksUrl: undefined });
    for (const url of [
      'http://127.0.0.1:9000/a',
      'http://[::1]:9000',
      'http://localhost',
      'https://i.example/jwks?a=b',
    ]) {
      assert.equal(readWell({ ...issuer, AUTH_ISSUER: url }).tokens?.issuer, url);
      assert.equal(readWell({ ...issuer, AUTH_JWKS_URL: url }).tokens?.jwksUrl, url);
    }
  });

  it('clients with certificates: by default each may do everything', () => {
    const clients = { 'a.example': ['a.read'], '*': [], ['__proto__']: ['a.write'] };
    const TLS_CLIENTS = JSON.stringify(clients);
    assert.deepEqual(readWell(mutual).certificates, { clients: { '*': ['*'] }, header: undefined });
    assert.deepEqual(readWell(header).certificates, { clients: { '*': ['*'] }, header: 'alb' });
    assert.deepEqual(readWell({ ...mutual, TLS_CLIENTS }).certificates, { clients, header: undefined });
  });

  it('a certificate that is needed besides a key, unless TLS_CLIENTS says what it allows', () => {
    for (const certificate of [mutual, header]) {
      assert.deepEqual(authKinds(readWell({ ...certificate, API_KEYS: apiKeys })), ['keys']);
      assert.deepEqual(authKinds(readWell({ ...certificate, ...issuer })), ['jwt']);
      const all = { ...certificate, ...issuer, API_KEY: key, TLS_CLIENTS: '{"*":["a.read"]}' };
      assert.deepEqual(authKinds(readWell(all)), ['keys', 'jwt', 'certificates']);
    }
  });

  it('reflection: open where everybody may call, or as it is set', () => {
    assert.equal(readWell({ API_KEY: key }).isReflectionOpen, false);
    assert.equal(readWell({ API_KEY: key, OPEN_REFLECTION: '1' }).isReflectionOpen, true);
    assert.equal(readWell({ API_KEY: key, OPEN_REFLECTION: '0' }).isReflectionOpen, false);
    assert.equal(readWell({ HOST: '0.0.0.0', AUTH: 'none' }).isReflectionOpen, true);
  });
});

describe('refuses', () => {
  const list = 'must be a list in JSON of {"name","scopes","sha256"}, as `users key new` prints them';
  const scopes = 'scopes must be a list of a.read, a.write, *';
  const plain = 'API_KEY must be keys of at least 20 letters, digits and . _ ~ + / -, separated by spaces';
  const url = 'must be an https URL without a password, or an http URL of this machine';
  const keysOf = (...entries: object[]) => ({ API_KEYS: JSON.stringify(entries) });
  const bad: [Environment, ...string[]][] = [
    [{ AUTH: 'all' }, 'AUTH must be none, for everybody to call, or not set'],
    ...Object.entries(decisions)
      .filter(([name]) => name !== 'AUTH=none')
      .map(([name, env]): [Environment, string] => [
        { ...env, AUTH: 'none' },
        `AUTH lets everybody call, but ${name} says who may: remove one of them`,
      ]),
    ...['no', '{}', 'null', '"usk_"'].map((text): [Environment, string] => [
      { API_KEYS: text },
      `API_KEYS ${list}`,
    ]),
    [{ API_KEYS: '[]' }, 'API_KEYS: the list is empty: did `users key new` fail?'],
    [{ API_KEYS: '[null]' }, 'API_KEYS, entry 1: name must be a text of 1 to 128 visible characters'],
    [
      keysOf(entry, { ...entry, name: 'a b' }),
      'API_KEYS, entry 2: name must be a text of 1 to 128 visible characters',
    ],
    [
      keysOf({ ...entry, name: 'a'.repeat(129) }),
      'API_KEYS, entry 1: name must be a text of 1 to 128 visible characters',
    ],
    [keysOf({ ...entry, scopes: 'a.read' }), `API_KEYS, entry 1: ${scopes}`],
    [keysOf({ ...entry, scopes: ['a.read', 'a.delete'] }), `API_KEYS, entry 1: ${scopes}`],
    [
      keysOf({ ...entry, sha256: key }),
      'API_KEYS, entry 1: sha256 must be the hash of the key, 64 hexadecimal digits',
    ],
    [keysOf(entry, { ...entry, name: 'other' }), 'two API keys are the same: each caller needs its own'],
    [{ API_KEY: `${key}1 ${key}2 ${key}3` }, 'there are 3 API keys: MAX_API_KEYS allows 2'],
    [{ API_KEYS_FILE: join(folder, 'none') }, "API_KEYS_FILE can't be read: ENOENT"],
    [{ API_KEYS_FILE: folder }, "API_KEYS_FILE can't be read: EISDIR"],
    [{ API_KEYS_FILE: '/dev/null' }, `API_KEYS_FILE ${list}`],
    [{ API_KEY: 'changeme' }, plain],
    [{ API_KEY: `${key} short` }, plain],
    [{ API_KEY: `${key},${key}` }, plain],
    [{ API_KEY: ' \n' }, 'API_KEY must have a key: it has nothing but spaces'],
    [
      { AUTH_ISSUER: 'https://i.example' },
      'AUTH_ISSUER needs AUTH_AUDIENCE, which is not set: else tokens for other services would do',
    ],
    [{ AUTH_AUDIENCE: 'users' }, 'AUTH_AUDIENCE needs AUTH_ISSUER, which is not set'],
    [{ AUTH_JWKS_URL: 'https://i.example' }, 'AUTH_JWKS_URL needs AUTH_ISSUER, which is not set'],
    ...[
      'http://i.example',
      'issuer',
      'https://me:secret@i.example',
      'file:///etc',
      'http://127.0.0.1.example',
    ].flatMap((text): [Environment, string][] => [
      [{ ...issuer, AUTH_ISSUER: text }, `AUTH_ISSUER ${url}`],
      [{ ...issuer, AUTH_JWKS_URL: text }, `AUTH_JWKS_URL ${url}`],
    ]),
    [{ TLS_CLIENTS: '{}' }, 'TLS_CLIENTS needs TLS_CLIENT_CA_FILE or TLS_CLIENT_HEADERS, which are not set'],
    ...['no', '[]', 'null', '1'].map((text): [Environment, string] => [
      { ...mutual, TLS_CLIENTS: text },
      'TLS_CLIENTS must be an object in JSON, of scopes by name, such as {"*":["*"]}',
    ]),
    [
      { ...mutual, TLS_CLIENTS: '{"a":[],"b":["all"]}' },
      'TLS_CLIENTS, row 2: it must be a list of a.read, a.write, *',
    ],
    [{ ...header, TLS_CLIENT_HEADERS: 'xfcc' }, 'TLS_CLIENT_HEADERS must be alb, or not set'],
    [
      { TLS_CLIENT_HEADERS: 'alb' },
      'TLS_CLIENT_HEADERS needs TRUSTED_PROXIES of 1 or more: others could write the headers',
    ],
    [
      { ...header, ...mutual },
      'TLS_CLIENT_HEADERS and TLS_CLIENT_CA_FILE exclude each other: a load balancer has no certificate of a client',
    ],
    [{ OPEN_REFLECTION: '0' }, 'OPEN_REFLECTION=0 needs callers that are known: everybody may call'],
    [{ API_KEY: key, OPEN_REFLECTION: 'no' }, 'OPEN_REFLECTION must be one of 0, 1, not "no"'],
  ];
  for (const [env, ...problems] of bad) {
    it(`${Object.keys(env)}: ${problems}`, () => assert.deepEqual(read(env).problems, problems));
  }

  it('without showing what was set', () => {
    const secret = 'usk_SECRET';
    const shapes: ((text: string) => string)[] = [
      (it) => it,
      (it) => `["${it}"]`,
      (it) => `{"${it}":"${it}"}`,
      (it) => `[{"name":"${it} x","scopes":["${it}"],"sha256":"${it}"}]`,
      (it) => `[{"name":"a","scopes":["${it}"],"sha256":"${it}"}]`,
      (it) => `{"a":["${it}"]}`,
      (it) => `https://${it}@i.example/`,
      (it) => `[{"name": ${it}`,
    ];
    const names = [
      'AUTH',
      'API_KEYS',
      'API_KEYS_FILE',
      'API_KEY',
      'AUTH_ISSUER',
      'AUTH_AUDIENCE',
      'AUTH_JWKS_URL',
    ];
    const text = fc.tuple(fc.constantFrom(...shapes), fc.string()).map(([shape, it]) => shape(secret + it));
    const env = fc.dictionary(fc.constantFrom(...names, 'TLS_CLIENTS', 'TLS_CLIENT_HEADERS'), text);
    fc.assert(
      fc.property(env, (it) => {
        for (const problem of read(it).problems) assert.ok(!problem.includes('SECRET'), problem);
      }),
      { numRuns: 1_000 },
    );
  });
});
