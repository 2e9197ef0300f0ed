// Proves that docs/errors.md has every error of both registries with its code, HTTP status and message, and every
// reason of a field violation, and none that does not exist; and that requests which reach no method get what it says.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type http from 'node:http';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Code } from '@connectrpc/connect';
import { codeToHttpStatus } from '@connectrpc/connect/protocol-connect';
import { statusName } from '../../functions/rpc/call/status.ts';
import { rpcErrors } from '../../functions/rpc/errors.ts';
import { usersErrors } from '../../functions/users/errors.ts';
import { Users } from '../../proto/gen/users_pb.js';
import { type RawRequest, requestHttp1 } from '../support/raw-request.ts';
import { serve } from '../support/server.ts';
import { page, rowsOf } from './tables.ts';

/** What is refused before a method is found has a status of its own. */
const refused = new Map(
  rowsOf(page('errors.md'), 'Requests that reach no method').map(([reason, status]) => [reason, status]),
);

const row = (reason: string, code: Code, message: string) => [
  reason,
  statusName(code),
  refused.get(reason) ?? String(codeToHttpStatus(code)),
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

  it('has what requests that reach no method get', async (t) => {
    const serving = await serve(t, { routes: (router) => router.service(Users, {}) });
    const json = { 'content-type': 'application/json' };
    const stream = { 'content-type': 'application/connect+json' };
    const reflection = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
    const requests: Record<string, [RawRequest, http.IncomingHttpHeaders]> = {
      BAD_HOST: [{ path: '/Users/CreateUser', headers: { ...json, host: 'two hosts' } }, {}],
      NOT_FOUND: [{ path: '/nothing', method: 'GET' }, {}],
      UNKNOWN_METHOD: [{ path: '/Users/Nothing', headers: json }, {}],
      METHOD_NOT_ALLOWED: [{ path: '/Users/CreateUser', method: 'GET' }, { allow: 'POST' }],
      UNKNOWN_CONTENT_TYPE: [
        { path: '/Users/GetUsers', headers: json },
        {
          'accept-post':
            'application/connect+proto, application/connect+json, ' +
            'application/grpc-web, application/grpc-web-text',
        },
      ],
      GRPC_NEEDS_HTTP2: [
        { path: '/Users/GetUsers', headers: { 'content-type': 'application/grpc' } },
        { 'grpc-status': '12', 'content-type': 'application/grpc' },
      ],
      NEEDS_HTTP2: [{ path: reflection, headers: stream }, { connection: 'close' }],
    };
    // Over HTTP/1.1 they never reach us; over HTTP/2 test/rpc/limits.test.ts proves it.
    const overHttp1 = [...refused.keys()].filter((it) => it !== 'HEADERS_TOO_LARGE');
    assert.deepEqual(overHttp1, Object.keys(requests));
    for (const [reason, [request, headers]] of Object.entries(requests)) {
      const exchange = requestHttp1(serving.url, request);
      exchange.request.end('{}');
      await Promise.all([exchange.read(), exchange.ended]);
      assert.equal(String(exchange.status), refused.get(reason), reason);
      assert.partialDeepStrictEqual(exchange.headers, headers);
      const { error } = await serving.line(({ requestId }) => requestId === exchange.headers['x-request-id']);
      const [, message] = Object.entries(rpcErrors).find(([name]) => name === reason)?.[1] ?? [];
      assert.ok(String(error).startsWith(message ?? 'no such reason'), `${reason}: ${error}`);
    }
  });
});
