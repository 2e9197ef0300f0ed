// Proves that every setting is read, that defaults are those that the documentation names, and that each bad
// setting and each contradiction is told in one line of its own, all at once.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { limits as defaults, type Limits } from '../../functions/limits.ts';
import { limitRange, limitVariable } from '../../functions/process/limit-settings.ts';
import { ConfigError, readConfig } from '../../functions/users/config.ts';

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
      store: { kind: 'sqlite', dataFolder: './data' },
      tls: undefined,
      corsOrigins: [],
      log: { level: 'info', format: 'json' },
      samples: false,
      limits: defaults,
    });
  });

  it('reads every setting', () => {
    const config = readConfig({
      HOST: '0.0.0.0',
      PORT: '0',
      USERS_STORE: 'dynamodb',
      USERS_TABLE: 'users',
      DYNAMODB_ENDPOINT: 'http://127.0.0.1:8000',
      TLS_CERT_FILE: 'cert.pem',
      TLS_KEY_FILE: 'key.pem',
      TLS_CLIENT_CA_FILE: 'ca.pem',
      CORS_ORIGINS: 'https://a.example, http://localhost:8080',
      LOG_LEVEL: 'debug',
      LOG_FORMAT: 'pretty',
      USERS_SAMPLES: '1',
      DRAIN_TIMEOUT_MS: '7',
    });
    assert.deepEqual(config, {
      host: '0.0.0.0',
      port: 0,
      store: { kind: 'dynamodb', table: 'users', endpoint: 'http://127.0.0.1:8000' },
      tls: { certFile: 'cert.pem', keyFile: 'key.pem', clientCaFile: 'ca.pem' },
      corsOrigins: ['https://a.example', 'http://localhost:8080'],
      log: { level: 'debug', format: 'pretty' },
      samples: true,
      limits: { ...defaults, drainTimeoutMs: 7 },
    });
    assert.deepEqual(readConfig({ USERS_STORE: 'memory' }).store, { kind: 'memory' });
    assert.deepEqual(readConfig({ USERS_DATA: '/var/users' }).store, {
      kind: 'sqlite',
      dataFolder: '/var/users',
    });
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

  it('leaves the defaults as they are', () => {
    const before = { ...defaults };
    readConfig({ MAX_CONNECTIONS: '1' }).limits.maxWatches = 1;
    assert.deepEqual(defaults, before);
  });

  const bad: [Record<string, string>, string][] = [
    [{ PORT: 'abc' }, 'PORT must be a whole number from 0 to 65535, not "abc"'],
    [{ PORT: '65536' }, 'PORT must be a whole number from 0 to 65535, not "65536"'],
    [{ PORT: '-1' }, 'PORT must be a whole number from 0 to 65535, not "-1"'],
    [{ PORT: '1e3' }, 'PORT must be a whole number from 0 to 65535, not "1e3"'],
    [{ HOST: 'http://localhost' }, 'HOST must be a host name or an IP address, not "http://localhost"'],
    [{ USERS_STORE: 'redis' }, 'USERS_STORE must be one of sqlite, dynamodb, memory, not "redis"'],
    [
      { LOG_LEVEL: 'loud' },
      'LOG_LEVEL must be one of trace, debug, info, warn, error, fatal, silent, not "loud"',
    ],
    [{ LOG_FORMAT: 'xml' }, 'LOG_FORMAT must be one of json, pretty, not "xml"'],
    [{ USERS_SAMPLES: 'yes' }, 'USERS_SAMPLES must be one of 0, 1, not "yes"'],
    ...['example.com', 'https://example.com/', 'https://a.example;https://b.example', 'null'].map(
      (origins): [Record<string, string>, string] => [
        { CORS_ORIGINS: origins },
        `CORS_ORIGINS must be origins such as https://example.com, separated by commas, not "${origins}"`,
      ],
    ),
    [
      { DYNAMODB_ENDPOINT: 'localhost:8000' },
      'DYNAMODB_ENDPOINT must be an http or https URL, not "localhost:8000"',
    ],
    [{ USERS_STORE: 'dynamodb' }, 'USERS_TABLE must name the table that USERS_STORE=dynamodb uses'],
    [{ USERS_TABLE: 'users' }, 'USERS_TABLE names a table, but USERS_STORE is sqlite: set it to dynamodb'],
    [{ TLS_CERT_FILE: 'cert.pem' }, 'TLS_CERT_FILE needs TLS_KEY_FILE, which is not set'],
    [{ TLS_KEY_FILE: 'key.pem' }, 'TLS_KEY_FILE needs TLS_CERT_FILE, which is not set'],
    [{ TLS_CLIENT_CA_FILE: 'ca.pem' }, 'TLS_CLIENT_CA_FILE needs TLS_CERT_FILE, which is not set'],
    [
      { DEFAULT_DEADLINE_MS: '300001' },
      'DEFAULT_DEADLINE_MS (300001) must not be above MAX_DEADLINE_MS (300000)',
    ],
    [
      { USERS_STORE: 'dynamodb', USERS_TABLE: 'users', READ_CHUNK_USERS: '101' },
      'READ_CHUNK_USERS must be at most 100 with USERS_STORE=dynamodb, as BatchGetItem takes no more',
    ],
    [{ MAX_CONNECTIONS: '0' }, 'MAX_CONNECTIONS must be a whole number from 1 to 2147483647, not "0"'],
    [
      { STORE_TIMEOUT_MS: '2147483648' },
      'STORE_TIMEOUT_MS must be a whole number from 1 to 2147483647, not "2147483648"',
    ],
    [{ DRAIN_DELAY_MS: '1.5' }, 'DRAIN_DELAY_MS must be a whole number from 0 to 2147483647, not "1.5"'],
  ];
  for (const [env, problem] of bad) {
    it(`says: ${problem}`, () => assert.deepEqual(problemsOf(env), [problem]));
  }

  it('tells everything that is wrong at once', () => {
    const everything = Object.assign({}, ...bad.map(([env]) => env), { USERS_STORE: 'redis' });
    const names = problemsOf(everything).map((problem) => problem.split(' ')[0]);
    assert.deepEqual(names.sort(), [
      'CORS_ORIGINS',
      'DEFAULT_DEADLINE_MS',
      'DRAIN_DELAY_MS',
      'DYNAMODB_ENDPOINT',
      'HOST',
      'LOG_FORMAT',
      'LOG_LEVEL',
      'MAX_CONNECTIONS',
      'PORT',
      'STORE_TIMEOUT_MS',
      'USERS_SAMPLES',
      'USERS_STORE',
    ]);
  });

  it('lowers the default deadline with a cap that is set alone', () => {
    const { defaultDeadlineMs, maxDeadlineMs } = readConfig({ MAX_DEADLINE_MS: '1000' }).limits;
    assert.deepEqual([defaultDeadlineMs, maxDeadlineMs], [1000, 1000]);
  });

  it('refuses a handshake that may take longer than the request', () => {
    assert.deepEqual(problemsOf({ REQUEST_TIMEOUT_MS: '9000' }), [
      'HANDSHAKE_TIMEOUT_MS (10000) must not be above REQUEST_TIMEOUT_MS (9000)',
    ]);
  });

  it('lets every limit be set by its variable, within its range, and no other be changed by it', () => {
    const names = Object.keys(defaults);
    assert.equal(new Set(names.map(limitVariable)).size, names.length);
    assert.equal(limitVariable('drainTimeoutMs'), 'DRAIN_TIMEOUT_MS');
    assert.equal(limitVariable('maxSessionMemoryMiB'), 'MAX_SESSION_MEMORY_MIB');
    for (const name of names) {
      // They bound each other: see above.
      if (['defaultDeadlineMs', 'maxDeadlineMs', 'handshakeTimeoutMs', 'requestTimeoutMs'].includes(name))
        continue;
      const { from, to } = limitRange(name);
      const set = (value: number) => readConfig({ [limitVariable(name)]: String(value) }).limits;
      assert.deepEqual(set(from), { ...defaults, [name]: from } satisfies Limits);
      assert.deepEqual(set(to), { ...defaults, [name]: to } satisfies Limits);
      assert.equal(problemsOf({ [limitVariable(name)]: String(from - 1) }).length, 1);
      const value = Reflect.get(defaults, name);
      assert.ok(value >= from && value <= to, `the default of ${name} is in its range`);
    }
  });

  it('answers any text with a Config or a ConfigError', () => {
    const names = [
      'PORT',
      'HOST',
      'CORS_ORIGINS',
      'DYNAMODB_ENDPOINT',
      'USERS_SAMPLES',
      'MAX_WATCHES',
      'LOG_LEVEL',
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
