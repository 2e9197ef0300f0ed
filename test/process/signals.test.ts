// Proves, with the process of a second service, that functions/process serves any service: its settings are read and
// its log written, SIGTERM and SIGINT end it with exit code 0, also while it starts, a second signal ends it at once,
// and a start or an end that can't be is one line.
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { Echo } from '../rpc/gen/echo_pb.js';
import { runMain } from '../support/process.ts';

const run = (t: TestContext, settings: Record<string, string> = {}) =>
  runMain(t, settings, 'test/process/second-service.ts');

const clientOf = (port: unknown) =>
  createClient(Echo, createGrpcTransport({ baseUrl: `http://127.0.0.1:${port}` }));

describe('a signal', () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`${signal} ends a process that serves`, async (t) => {
      const main = run(t, { ECHO_GREETING: 'good day' });
      const { port } = await main.line('listening');
      assert.equal((await clientOf(port).unary({ text: 'tom' })).text, 'good day tom');
      main.child.kill(signal);
      assert.equal((await main.line('draining')).signal, signal);
      await main.line('drained');
      assert.deepEqual(await main.ended, { code: 0, signal: null });
      assert.equal(main.errors(), '');
    });

    it(`${signal} ends a process that only starts`, async (t) => {
      const main = run(t, { ECHO_START: 'hang' });
      await main.line('starting');
      main.child.kill(signal);
      assert.deepEqual(await main.ended, { code: 0, signal: null });
    });
  }

  it('that comes a second time ends it at once', async (t) => {
    const main = run(t);
    const { port } = await main.line('listening');
    const call = clientOf(port).unary({ hang: true });
    const failed = assert.rejects(call);
    await main.line('hanging');
    main.child.kill('SIGTERM');
    await main.line('draining');
    // Two signals that are less than 200 ms apart are one: Ctrl-C reaches a watched process twice.
    await new Promise((resolve) => setTimeout(resolve, 300));
    main.child.kill('SIGTERM');
    await main.line('ended at once by a second signal');
    assert.deepEqual(await main.ended, { code: 1, signal: null });
    await failed;
  });
});

describe('what can not be is told on standard error, with exit code 1:', () => {
  const cases: [string, Record<string, string>, RegExp][] = [
    [
      'every bad setting at once',
      { PORT: 'x', ECHO_START: 'y', MAX_WATCHES: '0' },
      /^PORT must be .*\nMAX_WATCHES must be .*\nECHO_START must be .*\n$/,
    ],
    ['what a person can mend', { ECHO_START: 'mend' }, /^ECHO_GREETING must be kind\n$/],
    ['a fault of ours, with its stack', { ECHO_START: 'fault' }, /TypeError: a fault of ours\n +at /],
  ];
  for (const [what, settings, expected] of cases) {
    it(what, async (t) => {
      const main = run(t, settings);
      assert.deepEqual(await main.ended, { code: 1, signal: null });
      assert.match(main.errors(), expected);
    });
  }

  it('an end that fails', async (t) => {
    const main = run(t, { ECHO_GREETING: 'stuck' });
    await main.line('listening');
    main.child.kill('SIGTERM');
    assert.deepEqual(await main.ended, { code: 1, signal: null });
    assert.equal(main.errors(), 'ECHO_GREETING must let it end\n');
  });
});
