// Proves that docs/http2.md names, for each attack, a test that there is.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { it } from 'node:test';
import { page } from './tables.ts';

const root = new URL('../../', import.meta.url);

it('each attack has a test', () => {
  const attacks = readFileSync(new URL('test/rpc/http2/attacks.test.ts', root), 'utf8');
  const section = page('http2.md').split('## What protects it')[1]?.split('\n## ')[0] ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('| '));
  const tests = rows.slice(2).map((line) => line.split(' | ').at(-1)?.replace(/ \|$/, '') ?? '');
  assert.ok(tests.length > 10);
  for (const name of tests.flatMap((cell) => cell.split('; '))) {
    const [, path] = /^`(.+)`$/.exec(name) ?? [];
    assert.ok(path === undefined ? attacks.includes(name) : existsSync(new URL(path, root)), name);
  }
});
