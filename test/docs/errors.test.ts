// Proves that docs/errors.md has every error of both registries with its code, HTTP status and message, and every
// reason of a field violation, and none that does not exist.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Code } from '@connectrpc/connect';
import { codeToHttpStatus } from '@connectrpc/connect/protocol-connect';
import { statusName } from '../../functions/rpc/call/status.ts';
import { rpcErrors } from '../../functions/rpc/errors.ts';
import { usersErrors } from '../../functions/users/errors.ts';
import { page, rowsOf } from './tables.ts';

const row = (reason: string, code: Code, message: string) => [
  reason,
  statusName(code),
  String(codeToHttpStatus(code)),
  message,
];

describe('docs/errors.md', () => {
  const [service = '', fields = ''] =
    page('errors.md')
      .split(/^## /m)
      .find((it) => it.startsWith('Of the Users service'))
      ?.split('Fields in `BadRequest`') ?? [];

  it('has the errors of the Users service, and what to do', () => {
    const existing = Object.entries(usersErrors).map(([reason, { code, message, advice }]) => [
      ...row(reason, code, message),
      advice,
    ]);
    assert.deepEqual(rowsOf(service), existing);
  });

  it('has the errors of the server, and what to do', () => {
    const rows = rowsOf(page('errors.md'), 'Of the server');
    const existing = Object.entries(rpcErrors).map(([reason, [code, message]]) => row(reason, code, message));
    assert.deepEqual(
      rows.map((it) => it.slice(0, 4)),
      existing,
    );
    for (const [reason, , , , advice, ...rest] of rows) {
      assert.match(advice ?? '', /^[A-Z].{10,}\.$/, reason);
      assert.deepEqual(rest, []);
    }
  });

  it('has the reasons of field violations', () => {
    const source = readFileSync(join(import.meta.dirname, '../../functions/users/validation.ts'), 'utf8');
    const found = source.matchAll(/field: '(?<field>\w+)', [^}]*reason: '(?<reason>\w+)'/g);
    const existing = [...found].map(({ groups }) => [groups?.reason, groups?.field]);
    assert.ok(existing.length > 5);
    assert.deepEqual(
      rowsOf(fields).map((it) => it.slice(0, 2)),
      existing,
    );
  });
});
