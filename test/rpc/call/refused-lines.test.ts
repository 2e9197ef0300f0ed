// Proves that calls which anybody can make without end have no line each in the log: those that are refused, and those
// of nobody where callers have to say who they are. The rest are counted by code, those of known callers by caller too,
// and a flood of strangers hides none of them. Other calls of known callers, and faults, lose no line.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Code, ConnectError } from '@connectrpc/connect';
import { callerOfKind } from '../../../functions/rpc/auth/caller.ts';
import { RefusedLines } from '../../../functions/rpc/call/refused-lines.ts';
import type { AuthOptions } from '../../../functions/rpc/index.ts';
import { endsWith } from '../../support/outcome.ts';
import { nameOf, wires } from '../../support/transports.ts';
import { echoOf, serve } from '../echo.ts';
import { call } from '../raw.ts';

/** Knows whoever sends a name; `tom` may call. */
const auth: AuthOptions = {
  scopes: Object.fromEntries(
    ['Unary', 'ServerStream', 'ClientStream', 'Bidi', 'Get', 'Missing'].map((method) => [
      `/test.echo.v1.Echo/${method}`,
      ['echo'],
    ]),
  ),
  ways: [
    {
      identify({ headers: { name } }) {
        return typeof name === 'string'
          ? callerOfKind('key', name, name === 'tom' ? ['echo'] : [])
          : undefined;
      },
    },
  ],
};
const limits = { maxRefusedLinesPerSecond: 2 };
const known = { headers: { name: 'tom' } };

for (const wire of wires) {
  describe(`the log of ${nameOf(wire)}`, () => {
    it('counts the calls that are refused beyond some each second', async (t) => {
      const serving = await serve(t, { unary: () => ({}) }, { auth, limits });
      const echo = echoOf(serving, wire);
      for (let calls = 0; calls < 7; calls++) await endsWith(Code.Unauthenticated, echo.unary({}));
      const told = await serving.line(({ message }) => message === 'more calls were refused');
      // A machine that is slow spreads the seven over more than a second.
      const lines = serving.lines.filter(({ code }) => code === 'UNAUTHENTICATED').length;
      assert.ok(lines >= 2 && lines < 7, `${lines} lines`);
      const { calls, codes } = told;
      assert.ok(Number(calls) >= 1 && Number(calls) <= 5, `${calls} calls`);
      assert.deepEqual(codes, { UNAUTHENTICATED: calls });
      assert.equal(told.callers, 'unknown');
    });

    it('counts those of nobody too, where callers have to say who they are', async (t) => {
      const serving = await serve(t, {}, { auth, limits });
      for (let calls = 0; calls < 7; calls++) await call(serving, wire, { method: 'Nowhere' });
      const { codes } = await serving.line(({ message }) => message === 'more calls were refused');
      assert.deepEqual(Object.keys(codes ?? {}), ['UNIMPLEMENTED']);
    });

    it('has lines for what known callers are refused, beside a flood of strangers, and counts them by caller', async (t) => {
      const serving = await serve(t, { unary: () => ({}) }, { auth, limits });
      const echo = echoOf(serving, wire);
      for (let calls = 0; calls < 7; calls++) await endsWith(Code.Unauthenticated, echo.unary({}));
      for (const name of ['poor', 'poor', 'poor', 'poor', 'poor', 'bad']) {
        await endsWith(Code.PermissionDenied, echo.unary({}, { headers: { name } }));
      }
      const told = await serving.line(({ callers }) => callers === 'known');
      assert.equal(told.message, 'more calls were refused');
      assert.ok(serving.lines.filter(({ caller }) => caller === 'key:poor').length >= 2);
      // A machine that is slow spreads them over more than a second.
      const { calls, codes, byCaller } = told;
      assert.deepEqual(codes, { PERMISSION_DENIED: calls });
      const counts = Object.entries(Object(byCaller));
      assert.ok(counts.length > 0 && counts.every(([id]) => ['key:poor', 'key:bad'].includes(id)));
      assert.equal(
        counts.reduce((sum, [, count]) => sum + Number(count), 0),
        calls,
      );
    });

    it('has a line for each call of a known caller, and for each fault', async (t) => {
      let answered = 0;
      const unary = () => {
        answered += 1;
        if (answered > 4) throw new ConnectError('a fault', Code.Internal);
        return {};
      };
      const serving = await serve(t, { unary }, { auth, limits });
      const echo = echoOf(serving, wire);
      for (let calls = 0; calls < 4; calls++) await echo.unary({}, known);
      for (let calls = 0; calls < 4; calls++) await endsWith(Code.Internal, echo.unary({}, known));
      await serving.line(() => serving.lines.length === 8);
      assert.ok(serving.lines.every(({ message }) => message === 'call'));
    });

    it('has a line for each call where nobody has to say who he is', async (t) => {
      const serving = await serve(t, { unary: () => ({}) }, { limits });
      const echo = echoOf(serving, wire);
      for (let calls = 0; calls < 6; calls++) await echo.unary({});
      await serving.line(() => serving.lines.length === 6);
    });
  });
}

describe('lines of refused calls', () => {
  it('are counted of twenty callers by name, whatever number there is', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const told: Readonly<Record<string, number>>[] = [];
    const lines = new RefusedLines(0, ({ byCaller }) => told.push(byCaller));
    for (let call = 0; call < 100; call++) lines.admits(Code.PermissionDenied, `key:${call % 50}`);
    t.mock.timers.tick(1_000);
    lines.admits(Code.PermissionDenied, 'key:49');
    t.mock.timers.tick(1_000);
    const [first = {}, second] = told;
    assert.equal(Object.keys(first).length, 21);
    assert.deepEqual([first['key:0'], first['key:19'], first.others], [2, 2, 60]);
    assert.deepEqual(second, { 'key:49': 1 });
  });
});
