// Proves what clients are told of failures that they have caused: bytes that are cut off are INVALID_ARGUMENT in every
// protocol, a compression that nobody here has comes with those that are taken, a message has only those characters
// escaped that gRPC wants escaped, and no status that a client can ask for is counted as the server's fault.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Code, ConnectError } from '@connectrpc/connect';
import { nameOf, type Wire, wires } from '../support/transports.ts';
import { serve } from './echo.ts';
import { call, framed } from './raw.ts';

const unary = ({ text }: { text: string }) => ({ text });

/** The status and the code that a protocol has for an error of a unary call. */
function assertFailed(wire: Wire, answer: { status: number; headers: string }, http: number, code: Code) {
  if (wire.protocol === 'connect') return assert.equal(answer.status, http);
  assert.equal(answer.status, 200);
  assert.match(answer.headers, new RegExp(`grpc-status: ${code}\\b`));
}

for (const wire of wires) {
  describe(nameOf(wire), () => {
    it('protobuf that is cut off is the mistake of its client', async (t) => {
      const serving = await serve(t, { unary });
      const body = framed(wire, 'Unary', Buffer.from('0a05616c', 'hex'));
      assertFailed(wire, await call(serving, wire, { body }), 400, Code.InvalidArgument);
      const line = await serving.line(({ code }) => code === 'INVALID_ARGUMENT');
      assert.deepEqual([line.level, line.fault], ['info', undefined]);
    });

    it('a compression that is unknown is answered with those that are known', async (t) => {
      const serving = await serve(t, { unary });
      const isConnect = wire.protocol === 'connect';
      const name = isConnect ? 'content-encoding' : 'grpc-encoding';
      const answer = await call(serving, wire, { headers: { [name]: 'snappy' } });
      assertFailed(wire, answer, 501, Code.Unimplemented);
      // https://github.com/grpc/grpc/blob/master/doc/compression.md
      assert.match(answer.headers, isConnect ? /^accept-encoding: gzip/m : /grpc-accept-encoding: gzip/);
    });

    it('no status that can be had by asking for it is a fault of the server', async (t) => {
      const serving = await serve(t, { unary: () => new Promise<never>(() => {}) });
      const isConnect = wire.protocol === 'connect';
      const timeout: Record<string, string> = isConnect
        ? { 'connect-timeout-ms': '1' }
        : { 'grpc-timeout': '1m' };
      assertFailed(wire, await call(serving, wire, { headers: timeout }), 504, Code.DeadlineExceeded);
      const encoding = { [isConnect ? 'content-encoding' : 'grpc-encoding']: 'br' };
      assertFailed(wire, await call(serving, wire, { headers: encoding }), 501, Code.Unimplemented);
      if (wire.http === '1.1') {
        assert.equal((await call(serving, wire, { method: 'Bidi' })).status, 505);
        await serving.line(({ method }) => method === '/test.echo.v1.Echo/Bidi');
      }
      for (const code of ['DEADLINE_EXCEEDED', 'UNIMPLEMENTED'])
        await serving.line((line) => line.code === code);
      assert.deepEqual(
        serving.lines.filter(({ level, fault }) => level !== 'info' || fault),
        [],
      );
    });
  });
}

for (const wire of wires.filter(({ protocol }) => protocol !== 'connect')) {
  it(`grpc-message escapes % and what is not ASCII, and nothing else, over ${nameOf(wire)}`, async (t) => {
    const serving = await serve(t, {
      unary: () => {
        throw new ConnectError('the request: 100% of "ü" at a@b.c, +/?#&=;\n', Code.FailedPrecondition);
      },
    });
    const { headers } = await call(serving, wire);
    const [, message] = /grpc-message: (.*?)\r?\n/.exec(headers) ?? [];
    assert.equal(message, 'the request: 100%25 of "%C3%BC" at a@b.c, +/?#&=;%0A');
  });
}
