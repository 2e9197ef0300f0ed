// Proves that docs/settings.md lists every setting that the server reads, with its default.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { limits } from '../../functions/limits.ts';
import { limitVariable } from '../../functions/process/limit-settings.ts';
import type { Environment } from '../../functions/process/settings.ts';
import { readConfig } from '../../functions/users/config.ts';
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
  const { host, port, store, log, samples, trustedProxies } = readConfig({});
  const defaults = {
    HOST: host,
    PORT: String(port),
    USERS_STORE: store.kind,
    USERS_DATA: store.kind === 'sqlite' ? store.dataFolder : '',
    TRUSTED_PROXIES: String(trustedProxies),
    LOG_LEVEL: log.level,
    LOG_FORMAT: log.format,
    USERS_SAMPLES: samples ? '1' : '0',
  };
  const documented = rows
    .map(([name, value]) => [name, value])
    .filter(([, value]) => !value?.startsWith('|'));
  assert.deepEqual(Object.fromEntries(documented), defaults);
});
