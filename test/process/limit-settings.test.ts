// Proves that every limit of a table can be set by its variable, within its range, that none else changes with it, and
// that contradictions between the limits of serving RPCs are told, or resolved where the wish is clear.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits as defaults, limitPairs, limitRanges } from '../../functions/limits.ts';
import { limitRange, limitVariable, readLimits } from '../../functions/process/limit-settings.ts';
import { ConfigError, type Environment, Settings } from '../../functions/process/settings.ts';
import { rpcLimitRanges, rpcLimits } from '../../functions/rpc/limits.ts';

const keysOf = <T extends object>(object: T) => Object.keys(object) as (keyof T)[]; // of a literal: it has no others

function limitsOf(env: Environment) {
  const settings = new Settings(env);
  const limits = readLimits(settings, defaults, limitRanges, limitPairs);
  settings.check();
  return limits;
}

function problemsOf(env: Environment): readonly string[] {
  try {
    limitsOf(env);
  } catch (error) {
    assert.ok(error instanceof ConfigError, `not a ConfigError: ${error}`);
    return error.problems;
  }
  return [];
}

it('names the variable of a limit', () => {
  assert.equal(limitVariable('drainTimeoutMs'), 'DRAIN_TIMEOUT_MS');
  assert.equal(limitVariable('maxSessionMemoryMiB'), 'MAX_SESSION_MEMORY_MIB');
  const names = Object.keys(defaults);
  assert.equal(new Set(names.map(limitVariable)).size, names.length);
});

it('lets every limit be set by its variable, within its range, and no other be changed by it', () => {
  // They bound each other: see below.
  const related = ['defaultDeadlineMs', 'maxDeadlineMs', 'handshakeTimeoutMs', 'requestTimeoutMs'];
  for (const name of keysOf(defaults).filter((it) => !related.includes(it))) {
    const { from, to } = limitRange(name, limitRanges);
    const set = (value: number) => limitsOf({ [limitVariable(name)]: String(value) });
    assert.deepEqual(set(from), { ...defaults, [name]: from });
    assert.deepEqual(set(to), { ...defaults, [name]: to });
    assert.equal(problemsOf({ [limitVariable(name)]: String(from - 1) }).length, 1);
    assert.ok(defaults[name] >= from && defaults[name] <= to, `the default of ${name} is in its range`);
  }
});

it('leaves the defaults as they are', () => {
  const before = { ...defaults };
  limitsOf({ MAX_CONNECTIONS: '1' }).maxWatches = 1;
  assert.deepEqual(defaults, before);
});

it('reads the table of another service, with the limits of RPCs', () => {
  const settings = new Settings({ MAX_ORDERS: '0', MAX_ITEMS: '0', MAX_WATCHES: '7' });
  const table = { ...rpcLimits, maxOrders: 10, maxItems: 10 };
  const read = readLimits(settings, table, { ...rpcLimitRanges, maxOrders: { from: 0 } });
  assert.deepEqual(read, { ...table, maxOrders: 0, maxWatches: 7 });
  assert.throws(
    () => settings.check(),
    /^ConfigError: MAX_ITEMS must be a whole number from 1 to 2147483647, not "0"$/,
  );
});

describe('what can not be is told', () => {
  const bad: [Environment, string][] = [
    [{ MAX_CONNECTIONS: '0' }, 'MAX_CONNECTIONS must be a whole number from 1 to 2147483647, not "0"'],
    [
      { STORE_TIMEOUT_MS: '2147483648' },
      'STORE_TIMEOUT_MS must be a whole number from 1 to 2147483647, not "2147483648"',
    ],
    [{ DRAIN_DELAY_MS: '1.5' }, 'DRAIN_DELAY_MS must be a whole number from 0 to 2147483647, not "1.5"'],
    [
      { DEFAULT_DEADLINE_MS: '300001' },
      'DEFAULT_DEADLINE_MS (300001) must not be above MAX_DEADLINE_MS (300000)',
    ],
    [
      { REQUEST_TIMEOUT_MS: '9000' },
      'HANDSHAKE_TIMEOUT_MS (10000) must not be above REQUEST_TIMEOUT_MS (9000)',
    ],
  ];
  for (const [env, problem] of bad) it(problem, () => assert.deepEqual(problemsOf(env), [problem]));
});

for (const [part, whole] of limitPairs) {
  it(`${part} above ${whole} is told where both are set, and works as ever where one is`, () => {
    const [ofPart, ofWhole] = [limitVariable(part), limitVariable(whole)];
    const problem = `${ofPart} (2000000) must not be above ${ofWhole} (1000000)`;
    assert.deepEqual(problemsOf({ [ofPart]: '2000000', [ofWhole]: '1000000' }), [problem]);
    assert.deepEqual(problemsOf({ [ofPart]: '1000000', [ofWhole]: '1000000' }), []);
    assert.deepEqual(problemsOf({ [ofPart]: '2000000000' }), []);
    assert.deepEqual(problemsOf({ [ofWhole]: '1' }), []);
  });
}

it('lowers the default deadline with a cap that is set alone', () => {
  const { defaultDeadlineMs, maxDeadlineMs } = limitsOf({ MAX_DEADLINE_MS: '1000' });
  assert.deepEqual([defaultDeadlineMs, maxDeadlineMs], [1000, 1000]);
});
