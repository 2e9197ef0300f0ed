// Proves that what a method gives and no client can be sent, a detail that is not of its type or metadata that HTTP/2
// has no place for, ends that call alone: as INTERNAL in every protocol, with the cause in the log, and the server goes
// on.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Code, ConnectError } from '@connectrpc/connect';
import { all, endsWith } from '../support/outcome.ts';
import { nameOf, wires } from '../support/transports.ts';
import { echoOf, serve } from './echo.ts';
import { type Failure, FailureSchema } from './gen/echo_pb.js';

/** An error with a detail of the type Failure. */
function failure(value: Partial<Failure>): ConnectError {
  return new ConnectError('refused', Code.Aborted, undefined, [{ desc: FailureSchema, value }]);
}

for (const wire of wires) {
  describe(nameOf(wire), () => {
    it('says INTERNAL for an error with a detail that is not of its type', async (t) => {
      const broken = failure({ code: 2 ** 40 });
      const serving = await serve(t, {
        unary: () => Promise.reject(broken),
        async *serverStream() {
          yield {};
          throw broken;
        },
      });
      const echo = echoOf(serving, wire);
      for (const call of [() => echo.unary({}), () => all(echo.serverStream({}))]) {
        assert.equal((await endsWith(Code.Internal, call())).rawMessage, 'internal error');
      }
      for (const method of ['Unary', 'ServerStream']) {
        const line = await serving.line((it) => String(it.method).endsWith(method));
        assert.equal(line.code, 'INTERNAL');
        assert.match(String(line.err), /invalid uint32/);
      }
    });

    it('sends a detail that holds a message of a type that is unknown here', async (t) => {
      const details = [
        { $typeName: 'google.protobuf.Any', typeUrl: 'a/b.Unknown', value: Buffer.from([8, 1]) },
      ] as const;
      const serving = await serve(t, { unary: () => Promise.reject(failure({ details: [...details] })) });
      const error = await endsWith(Code.Aborted, echoOf(serving, wire).unary({}));
      assert.equal(error.findDetails(FailureSchema)[0]?.details[0]?.typeUrl, 'a/b.Unknown');
    });
  });
}

for (const wire of wires.filter((it) => it.http === '2')) {
  it(`cuts a call of ${nameOf(wire)} whose metadata can't be sent, and no other`, async (t) => {
    const serving = await serve(t, {
      unary({ text }, { responseHeader }) {
        if (text === 'unsendable') responseHeader.set('http2-settings', 'a');
        return { text };
      },
    });
    const echo = echoOf(serving, wire);
    await assert.rejects(echo.unary({ text: 'unsendable' }));
    const line = await serving.line(({ code }) => code === 'INTERNAL');
    assert.match(String(line.err), /http2-settings/);
    assert.equal((await echo.unary({ text: 'next' })).text, 'next');
  });
}
