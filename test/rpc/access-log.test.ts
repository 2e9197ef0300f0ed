// Proves that each call, of every protocol and however it ends, leaves one line with its true code, that secrets are
// not in it, and that the cause of an internal error is in the log and nowhere on the wire.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Code } from '@connectrpc/connect';
import { all, endsWith } from '../support/outcome.ts';
import { eventually } from '../support/patience.ts';
import { nameOf, wires } from '../support/transports.ts';
import { echoOf, serve } from './echo.ts';
import { call } from './raw.ts';

const secret = 'correct horse battery staple';

for (const wire of wires) {
  describe(`the log of ${nameOf(wire)}`, () => {
    it('has one line for a call that went well', async (t) => {
      const serving = await serve(t, { unary: () => ({}) });
      await echoOf(serving, wire).unary({}, { headers: { 'x-request-id': 'mine', ip: '127.0.0.1' } });
      const line = await serving.line(() => true);
      assert.equal(line.method, '/test.echo.v1.Echo/Unary');
      assert.equal(line.protocol, wire.protocol);
      assert.equal(line.code, 'OK');
      assert.equal(line.level, 'info');
      assert.equal(line.requestId, 'mine');
      assert.equal(line.deadlineMs, serving.limits.defaultDeadlineMs);
      assert.match(String(line.peer), /^127\.0\.0\.1:\d+$/);
      assert.match(String(line.metadata), /(^|,)ip(,|$)/);
      assert.equal(typeof line.ms, 'number');
      assert.equal(serving.lines.length, 1);
    });

    it('has the cause of an internal error, and the wire does not', async (t) => {
      const serving = await serve(t, {
        unary() {
          throw new TypeError(secret);
        },
        async *serverStream() {
          yield {};
          throw new TypeError(secret);
        },
      });
      const echo = echoOf(serving, wire);
      for (const work of [() => echo.unary({}), () => all(echo.serverStream({}))]) {
        const error = await endsWith(Code.Internal, work());
        assert.equal(error.rawMessage, 'internal error');
      }
      await eventually(() => serving.lines.length === 2);
      for (const line of serving.lines) {
        assert.equal(line.level, 'error');
        assert.ok(line.err instanceof TypeError && line.err.message === secret);
      }
      const raw = await call(serving, wire);
      assert.ok(!`${raw.headers}${raw.body}`.includes('horse'));
    });

    it('has one line for an unknown method, without its path, which may be anything', async (t) => {
      const serving = await serve(t, {});
      await call(serving, wire, { method: 'Nowhere' });
      const line = await serving.line(({ code }) => code === 'UNIMPLEMENTED');
      assert.equal(line.method, '(unknown)');
      assert.equal(line.error, 'unknown service or method');
      assert.equal(line.protocol, wire.protocol);
      assert.equal(serving.lines.length, 1);
    });

    it('has the true code of a request that can not be read', async (t) => {
      const serving = await serve(t, { unary: () => ({}) });
      const body = wire.protocol === 'connect' ? Buffer.from([0xff]) : Buffer.from([0, 0, 0, 0, 1, 0xff]);
      await call(serving, wire, { body });
      const line = await serving.line(() => true);
      assert.deepEqual(
        [line.code, line.error, line.fault],
        ['INVALID_ARGUMENT', 'the request is not a valid message', undefined],
      );
      assert.equal(serving.lines.length, 1);
    });

    it('says CANCELLED of a call that its client gives up', async (t) => {
      let isLeft = false;
      const serving = await serve(t, {
        async *serverStream(_, { signal }) {
          try {
            for (;;) {
              yield {};
              await new Promise((resolve) => setImmediate(resolve));
              signal.throwIfAborted();
            }
          } finally {
            isLeft = true;
          }
        },
      });
      const left = new AbortController();
      const stream = echoOf(serving, wire).serverStream({}, { signal: left.signal })[Symbol.asyncIterator]();
      await stream.next();
      left.abort();
      await assert.rejects(async () => {
        while (!(await stream.next()).done);
      });
      const line = await serving.line(() => true);
      assert.equal(line.code, 'CANCELLED');
      assert.ok(await eventually(() => isLeft), 'the generator goes on');
      assert.equal(serving.lines.length, 1);
    });

    it('shows metadata on request, and never what is secret', async (t) => {
      const serving = await serve(t, { unary: () => ({}) }, { logMetadata: 'values' });
      const hidden = {
        authorization: `Bearer ${secret}`,
        cookie: secret,
        'x-api-key': secret,
        'x-user-token': secret,
        apikey: secret,
        'x-amzn-oidc-data': secret,
        'x-session-id': secret,
        'trace-bin': Buffer.from(secret).toString('base64'),
      };
      await echoOf(serving, wire).unary({}, { headers: { ...hidden, ip: '127.0.0.1' } });
      const line = await serving.line(() => true);
      const shown = Object(line.metadata);
      assert.equal(shown.ip, '127.0.0.1');
      for (const name of Object.keys(hidden)) assert.equal(shown[name], '[redacted]', name);
      assert.ok(!JSON.stringify(serving.lines).includes('horse'));
    });
  });
}

for (const logMetadata of ['keys', 'values'] as const) {
  it(`a line with the ${logMetadata} of metadata has an end, though headers may have 64 KiB`, async (t) => {
    const serving = await serve(t, { unary: () => ({}) }, { logMetadata });
    const names = Array.from({ length: 60 }, (_, index) => `${'n'.repeat(200)}${index}`);
    const headers = Object.fromEntries(names.map((name) => [name, 'v']));
    await echoOf(serving, { protocol: 'grpc', http: '2' }).unary({}, { headers });
    const { metadata } = await serving.line(() => true);
    const text = JSON.stringify(metadata);
    assert.ok(text.length > 200 && text.length < 2_000, `${text.length} characters`);
  });
}

it('a request that names no valid host is answered and logged', async (t) => {
  const serving = await serve(t, { unary: () => ({}) });
  const answer = await call(serving, { protocol: 'connect', http: '1.1' }, { headers: { host: 'a b' } });
  assert.equal(answer.status, 400);
  assert.equal(JSON.parse(answer.body).code, 'invalid_argument');
  assert.equal((await serving.line(() => true)).code, 'INVALID_ARGUMENT');
});
