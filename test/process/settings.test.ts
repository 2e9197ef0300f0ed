// Proves that each kind of setting is read, that an empty one counts as not set, and that everything that can't be used
// is told at once, a line each, whatever the texts are; and that names are told of that are nearly those of settings.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { readServerSettings } from '../../functions/process/server-settings.ts';
import { ConfigError, type Environment, Settings } from '../../functions/process/settings.ts';

/** What a reader makes of an environment, and the problems it finds. */
function read<T>(
  env: Environment,
  reader: (settings: Settings) => T,
): { value: T; problems: readonly string[] } {
  const settings = new Settings(env);
  const value = reader(settings);
  try {
    settings.check();
  } catch (error) {
    assert.ok(error instanceof ConfigError, `not a ConfigError: ${error}`);
    assert.equal(error.message, error.problems.join('\n'));
    return { value, problems: error.problems };
  }
  return { value, problems: [] };
}

describe('a setting that is not set, or empty, is its default', () => {
  const readers: [string, (settings: Settings) => unknown, unknown][] = [
    ['text', (it) => it.text('A'), undefined],
    ['choice', (it) => it.choice('A', ['x', 'y'], 'y'), 'y'],
    ['flag', (it) => it.flag('A'), false],
    ['wholeNumber', (it) => it.wholeNumber('A', { from: 1, to: 2 }), undefined],
    ['port', (it) => it.port('A', 80), 80],
    ['host', (it) => it.host('A', 'here'), 'here'],
    ['url', (it) => it.url('A'), undefined],
    ['list', (it) => it.list('A', () => false, 'none'), []],
  ];
  for (const [kind, reader, expected] of readers) {
    it(kind, () => {
      for (const env of [{}, { A: '' }, { A: undefined }, { B: 'other' }]) {
        assert.deepEqual(read(env, reader), { value: expected, problems: [] });
      }
    });
  }
});

it('what can be used is read', () => {
  const kinds = (settings: Settings) => [
    settings.text('TEXT'),
    settings.choice('CHOICE', ['x', 'y'], 'y'),
    settings.flag('FLAG'),
    settings.wholeNumber('FROM', { from: 1, to: 20 }),
    settings.wholeNumber('TO', { from: 1, to: 20 }),
    settings.port('PORT', 80),
    settings.host('HOST', 'here'),
    settings.url('URL'),
    settings.list('LIST', (one) => /^\d$/.test(one), 'digits'),
  ];
  const env = {
    TEXT: ' any thing ',
    CHOICE: 'x',
    FLAG: '1',
    FROM: '1',
    TO: '20',
    PORT: '0',
    HOST: '::1',
    URL: 'http://[::1]:8000',
    LIST: ' 1,, 2 ,3',
  };
  assert.deepEqual(read(env, kinds), {
    value: [' any thing ', 'x', true, 1, 20, 0, '::1', 'http://[::1]:8000', ['1', '2', '3']],
    problems: [],
  });
});

describe('what can not be used is told', () => {
  const bad: [Environment, string][] = [
    [{ PORT: 'abc' }, 'PORT must be a whole number from 0 to 65535, not "abc"'],
    [{ PORT: '65536' }, 'PORT must be a whole number from 0 to 65535, not "65536"'],
    [{ PORT: '-1' }, 'PORT must be a whole number from 0 to 65535, not "-1"'],
    [{ PORT: '1e3' }, 'PORT must be a whole number from 0 to 65535, not "1e3"'],
    [
      { HOST: 'http://localhost' },
      'HOST must be a host name, an IP address, or unix:/PATH, not "http://localhost"',
    ],
    [
      { LOG_LEVEL: 'loud' },
      'LOG_LEVEL must be one of trace, debug, info, warn, error, fatal, silent, not "loud"',
    ],
    [{ LOG_FORMAT: 'xml' }, 'LOG_FORMAT must be one of json, lambda, pretty, not "xml"'],
    ...['example.com', 'https://example.com/', 'https://a.example;https://b.example', 'null'].map(
      (origins): [Environment, string] => [
        { CORS_ORIGINS: origins },
        `CORS_ORIGINS must be origins such as https://example.com, separated by commas, not "${origins}"`,
      ],
    ),
    [{ TRUSTED_PROXIES: '17' }, 'TRUSTED_PROXIES must be a whole number from 0 to 16, not "17"'],
    [{ TLS_CERT_FILE: 'cert.pem' }, 'TLS_CERT_FILE needs TLS_KEY_FILE, which is not set'],
    [{ TLS_KEY_FILE: 'key.pem' }, 'TLS_KEY_FILE needs TLS_CERT_FILE, which is not set'],
    [{ TLS_CLIENT_CA_FILE: 'ca.pem' }, 'TLS_CLIENT_CA_FILE needs TLS_CERT_FILE, which is not set'],
  ];
  for (const [env, problem] of bad) {
    it(problem, () => assert.deepEqual(read(env, readServerSettings).problems, [problem]));
  }

  for (const url of [
    'user:hunter2@collector:4318',
    'ftp://k:hunter2@collector/',
    'hunter2',
    'http://',
    'http://user:hunter2@collector:4318',
    'http://hunter2@collector',
    'https://:hunter2@collector',
    'http://user:hunter2%zz@collector',
  ]) {
    it(`a URL that has a password, or may have one, without showing it: ${url}`, () => {
      const { value, problems } = read({ A: url }, (it) => it.url('A', 'B'));
      assert.equal(value, undefined);
      assert.deepEqual(problems, [
        'A must be an http or https URL without user and password, which go into B',
      ]);
    });
  }

  it('all at once', () => {
    const everything = Object.assign({ A: 'localhost:8000', B: 'yes' }, ...bad.map(([env]) => env));
    const { problems } = read(everything, (settings) => {
      settings.url('A');
      settings.flag('B');
      readServerSettings(settings, () => ['TLS_CERT_FILE is no file', 'TLS_KEY_FILE is no file']);
    });
    assert.deepEqual(problems, [
      'A must be an http or https URL without user and password',
      'B must be one of 0, 1, not "yes"',
      'HOST must be a host name, an IP address, or unix:/PATH, not "http://localhost"',
      'PORT must be a whole number from 0 to 65535, not "1e3"',
      'LOG_LEVEL must be one of trace, debug, info, warn, error, fatal, silent, not "loud"',
      'LOG_FORMAT must be one of json, lambda, pretty, not "xml"',
      'CORS_ORIGINS must be origins such as https://example.com, separated by commas, not "null"',
      'TRUSTED_PROXIES must be a whole number from 0 to 16, not "17"',
      'TLS_CERT_FILE is no file',
      'TLS_KEY_FILE is no file',
    ]);
  });

  it('or used, whatever the text is', () => {
    const names = [
      'PORT',
      'HOST',
      'CORS_ORIGINS',
      'LOG_LEVEL',
      'LOG_FORMAT',
      'TLS_CERT_FILE',
      'TLS_KEY_FILE',
    ];
    const env = fc.dictionary(fc.constantFrom(...names), fc.string({ unit: 'grapheme' }));
    fc.assert(
      fc.property(env, (it) => void read(it, readServerSettings)),
      { numRuns: 1000 },
    );
  });
});

describe('a variable whose name is nearly that of a setting', () => {
  const slipsOf = (env: Environment) => {
    const settings = new Settings(env);
    readServerSettings(settings);
    return settings.slips();
  };

  for (const [name, meant] of [
    ['LOG_LEVL', 'LOG_LEVEL'],
    ['LOG_LEVELS', 'LOG_LEVEL'],
    ['LOG_LABEL', undefined],
    ['LOG_FROMAT', 'LOG_FORMAT'],
    ['TLS_CERT_FILES', 'TLS_CERT_FILE'],
    ['TLS_CRT_FILE', 'TLS_CERT_FILE'],
    ['TSL_KEY_FILE', 'TLS_KEY_FILE'],
    ['CORS_ORIGIN', 'CORS_ORIGINS'],
    ['CORS_ORIGINZ', 'CORS_ORIGINS'],
    ['XCORS_ORIGINS', 'CORS_ORIGINS'],
    ['LOG_LEVEL', undefined],
    ['LOG', undefined],
    ['CORS_ORIGINAL', undefined],
    ['POST', undefined],
    ['HOSTS', undefined],
    ['COST', undefined],
  ] as const) {
    it(`${name}: ${meant ?? 'is none'}`, () => {
      const expected = meant === undefined ? [] : [`unknown setting ${name}: did you mean ${meant}?`];
      assert.deepEqual(slipsOf({ [name]: name === 'LOG_LEVEL' ? 'info' : 'secret' }), expected);
    });
  }

  it('counts as not set if it is empty', () => assert.deepEqual(slipsOf({ LOG_LEVELS: '' }), []));
});
