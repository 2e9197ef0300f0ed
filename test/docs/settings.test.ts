// Proves that docs/settings.md lists every setting that the server reads, with its default.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import { readConfig } from '../../functions/users/config.ts';
import { page, rowsOf } from './tables.ts';

const rows = rowsOf(page('settings.md'));

it('lists each setting', () => {
  const source = readFileSync(new URL('../../functions/users/config.ts', import.meta.url), 'utf8');
  const read = [...source.matchAll(/\b(?:text|choice)\('([A-Z_]+)'/g)].map(([, name]) => name);
  assert.deepEqual(rows.map(([name]) => name).sort(), [...new Set(read)].sort());
});

it('names the defaults', () => {
  const { host, port, store, log, samples } = readConfig({});
  const defaults = {
    HOST: host,
    PORT: String(port),
    USERS_STORE: store.kind,
    USERS_DATA: store.kind === 'sqlite' ? store.dataFolder : '',
    LOG_LEVEL: log.level,
    LOG_FORMAT: log.format,
    USERS_SAMPLES: samples ? '1' : '0',
  };
  const documented = rows
    .map(([name, value]) => [name, value])
    .filter(([, value]) => !value?.startsWith('|'));
  assert.deepEqual(Object.fromEntries(documented), defaults);
});
