// Proves that browsers of the configured origins may call, that no others may, and that nothing is said by default.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Serving } from '../support/server.ts';
import { serve } from './echo.ts';

const origin = 'https://example.com';
const path = '/test.echo.v1.Echo/Unary';

function preflight(serving: Serving, from: string) {
  return fetch(`${serving.url}${path}`, {
    method: 'OPTIONS',
    headers: {
      connection: 'close',
      origin: from,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'content-type,ip',
    },
  });
}

function call(serving: Serving, from: string) {
  return fetch(`${serving.url}${path}`, {
    method: 'POST',
    headers: { connection: 'close', origin: from, 'content-type': 'application/json' },
    body: '{}',
  });
}

it('lets the configured origins in', async (t) => {
  const serving = await serve(t, { unary: () => ({}) }, { corsOrigins: [origin] });
  const answer = await preflight(serving, origin);
  assert.equal(answer.status, 204);
  assert.equal(answer.headers.get('access-control-allow-origin'), origin);
  assert.match(answer.headers.get('access-control-allow-methods') ?? '', /POST/);
  assert.equal(answer.headers.get('access-control-allow-headers'), 'content-type,ip');
  assert.match(answer.headers.get('vary') ?? '', /origin/i);
  const response = await call(serving, origin);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('access-control-allow-origin'), origin);
  assert.match(response.headers.get('access-control-expose-headers') ?? '', /grpc-status.*x-request-id/i);
  await response.text();
});

it('lets no other origin in', async (t) => {
  const serving = await serve(t, { unary: () => ({}) }, { corsOrigins: [origin] });
  for (const other of ['https://example.org', 'https://example.com.evil.example', 'null']) {
    const answer = await preflight(serving, other);
    assert.notEqual(answer.status, 204);
    for (const response of [answer, await call(serving, other)]) {
      assert.equal(response.headers.get('access-control-allow-origin'), null);
      assert.match(response.headers.get('vary') ?? '', /origin/i, 'a cache would mix the origins up');
      await response.text();
    }
  }
});

it('lets any origin in with *', async (t) => {
  const serving = await serve(t, { unary: () => ({}) }, { corsOrigins: ['*'] });
  assert.equal((await preflight(serving, origin)).headers.get('access-control-allow-origin'), origin);
});

it('is off by default', async (t) => {
  const serving = await serve(t, { unary: () => ({}) });
  const response = await call(serving, origin);
  for (const name of response.headers.keys()) assert.doesNotMatch(name, /^access-control/);
  await response.text();
});
