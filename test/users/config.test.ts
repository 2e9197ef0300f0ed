// Proves that every setting of the Users function is read, that defaults are those that the documentation names, and
// that each bad setting and each contradiction is told in one line of its own, together with those of every server.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { limits as defaults } from '../../functions/limits.ts';
import { ConfigError } from '../../functions/process/settings.ts';
import { readConfig } from '../../functions/users/config.ts';

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    readConfig(env);
  } catch (error) {
    assert.ok(error instanceof ConfigError, `not a ConfigError: ${error}`);
    assert.equal(error.message, error.problems.join('\n'));
    for (const problem of error.problems) assert.ok(!problem.includes('\n'));
    return error.problems;
  }
  return [];
}

describe('readConfig', () => {
  it('has defaults for everything', () => {
    assert.deepEqual(readConfig({}), {
      host: '127.0.0.1',
      port: 50051,
      workers: 1,
      auth: { keys: [], tokens: undefined, certificates: undefined, isReflectionOpen: true },
      admin: undefined,
      store: { kind: 'sqlite', dataFolder: './data' },
      tls: undefined,
      corsOrigins: [],
      trustedProxies: 0,
      originProof: undefined,
      requestIdHeader: 'x-request-id',
      http2Engine: 'own',
      log: { level: 'info', format: 'json' },
      samples: false,
      hasConsole: false,
      telemetry: {
        tracing: { followsParents: true, followsDecisions: true, ratio: 1 },
        otlp: undefined,
      },
      limits: defaults,
      slips: [],
    });
  });

  it('reads every setting', () => {
    const config = readConfig({
      HOST: '0.0.0.0',
      PORT: '0',
      WORKERS: '4',
      ADMIN_HOST: '::1',
      ADMIN_PORT: '9464',
      USERS_STORE: 'dynamodb',
      USERS_TABLE: 'users',
      DYNAMODB_ENDPOINT: 'http://127.0.0.1:8000',
      TLS_CERT_FILE: 'cert.pem',
      TLS_KEY_FILE: 'key.pem',
      TLS_CLIENT_CA_FILE: 'ca.pem',
      CORS_ORIGINS: 'https://a.example, http://localhost:8080',
      TRUSTED_PROXIES: '2',
      ORIGIN_PROOF: 'shown-by-the-proxy-in-front',
      HTTP2_ENGINE: 'node',
      LOG_LEVEL: 'debug',
      LOG_FORMAT: 'pretty',
      USERS_SAMPLES: '1',
      DRAIN_TIMEOUT_MS: '7',
      TRACE_PARENTS: 'link',
      OTEL_TRACES_SAMPLER: 'traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0.25',
    });
    assert.deepEqual(config, {
      host: '0.0.0.0',
      port: 0,
      workers: 4,
      auth: {
        keys: [],
        tokens: undefined,
        certificates: { clients: { '*': ['*'] }, header: undefined },
        isReflectionOpen: false,
      },
      admin: { host: '::1', port: 9464 },
      store: { kind: 'dynamodb', table: 'users', endpoint: 'http://127.0.0.1:8000' },
      tls: { certFile: 'cert.pem', keyFile: 'key.pem', clientCaFile: 'ca.pem' },
      corsOrigins: ['https://a.example', 'http://localhost:8080'],
      trustedProxies: 2,
      originProof: 'shown-by-the-proxy-in-front',
      requestIdHeader: 'x-request-id',
      http2Engine: 'node',
      log: { level: 'debug', format: 'pretty' },
      samples: true,
      hasConsole: false,
      telemetry: {
        tracing: { followsParents: false, followsDecisions: false, ratio: 0.25 },
        otlp: undefined,
      },
      limits: { ...defaults, drainTimeoutMs: 7 },
      slips: [],
    });
    assert.deepEqual(readConfig({ USERS_STORE: 'memory' }).store, { kind: 'memory' });
    assert.deepEqual(readConfig({ USERS_DATA: '/var/users' }).store, {
      kind: 'sqlite',
      dataFolder: '/var/users',
    });
  });

  it('tells of names that are nearly those of settings, of any kind', () => {
    const env = {
      API_KEY_FILE: 'x',
      USER_STORE: 'memory',
      DRAIN_TIMEOUT_MS: '7',
      DRAIN_TIMEOUT_M: '8',
      CONSOL: '1',
      HOME: '/',
      HOSTS: 'a',
    };
    assert.deepEqual(readConfig(env).slips, [
      'unknown setting API_KEY_FILE: did you mean API_KEYS_FILE?',
      'unknown setting USER_STORE: did you mean USERS_STORE?',
      'unknown setting DRAIN_TIMEOUT_M: did you mean DRAIN_TIMEOUT_MS?',
      'unknown setting CONSOL: did you mean CONSOLE?',
    ]);
  });

  it('takes what is empty as not set', () => {
    const names = [
      'HOST',
      'PORT',
      'USERS_STORE',
      'USERS_TABLE',
      'TLS_CERT_FILE',
      'CORS_ORIGINS',
      'LOG_LEVEL',
    ];
    const env = Object.fromEntries([...names, 'DRAIN_TIMEOUT_MS'].map((name) => [name, '']));
    assert.deepEqual(readConfig(env), readConfig({}));
  });

  const bad: [Record<string, string>, string][] = [
    [{ ADMIN_PORT: 'on' }, 'ADMIN_PORT must be a whole number from 0 to 65535, not "on"'],
    [{ ADMIN_PORT: '50051' }, 'ADMIN_PORT (50051) must not be PORT'],
    [{ ADMIN_HOST: '::1' }, 'ADMIN_HOST needs ADMIN_PORT, which is not set'],
    [
      { ADMIN_PORT: '0', ADMIN_HOST: 'unix:/a' },
      'ADMIN_HOST must be a host name or an IP address, not "unix:/a"',
    ],
    [{ USERS_STORE: 'redis' }, 'USERS_STORE must be one of sqlite, dynamodb, memory, not "redis"'],
    [{ USERS_SAMPLES: 'yes' }, 'USERS_SAMPLES must be one of 0, 1, not "yes"'],
    [
      { DYNAMODB_ENDPOINT: 'localhost:8000' },
      'DYNAMODB_ENDPOINT must be an http or https URL without user and password',
    ],
    [{ USERS_STORE: 'dynamodb' }, 'USERS_TABLE must name the table that USERS_STORE=dynamodb uses'],
    [{ USERS_TABLE: 'users' }, 'USERS_TABLE names a table, but USERS_STORE is sqlite: set it to dynamodb'],
    [
      { USERS_STORE: 'dynamodb', USERS_TABLE: 'users', READ_CHUNK_USERS: '101' },
      'READ_CHUNK_USERS must be at most 100 with USERS_STORE=dynamodb, as BatchGetItem takes no more',
    ],
  ];
  for (const [env, problem] of bad) {
    it(`says: ${problem}`, () => assert.deepEqual(problemsOf(env), [problem]));
  }

  it('tells everything that is wrong at once', () => {
    const ofServers = { PORT: 'abc', LOG_LEVEL: 'loud', TLS_KEY_FILE: 'key.pem', MAX_CONNECTIONS: '0' };
    const everything = Object.assign(ofServers, ...bad.map(([env]) => env), { USERS_STORE: 'redis' });
    const names = problemsOf(everything).map((problem) => problem.split(' ')[0]);
    assert.deepEqual(names.sort(), [
      'ADMIN_HOST',
      'DYNAMODB_ENDPOINT',
      'LOG_LEVEL',
      'MAX_CONNECTIONS',
      'PORT',
      'TLS_KEY_FILE',
      'USERS_SAMPLES',
      'USERS_STORE',
    ]);
  });

  it('answers any text with a Config or a ConfigError', () => {
    const names = [
      'PORT',
      'USERS_STORE',
      'USERS_TABLE',
      'USERS_DATA',
      'DYNAMODB_ENDPOINT',
      'USERS_SAMPLES',
      'MAX_WATCHES',
    ];
    const env = fc.dictionary(
      fc.constantFrom(...names),
      fc.string({ unit: 'grapheme' }).filter((it) => !/[\r\n]/.test(it)),
    );
    fc.assert(
      fc.property(env, (it) => void problemsOf(it)),
      { numRuns: 1000 },
    );
  });
});
