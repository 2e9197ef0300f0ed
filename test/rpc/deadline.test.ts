// Proves that the server itself keeps deadlines, in every protocol: a client without a timer of its own is told
// DEADLINE_EXCEEDED even if the method hangs, the method's signal is aborted with that reason, and default, cap,
// tiny and malformed timeouts do what they should.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Code, ConnectError } from '@connectrpc/connect';
import { all, endsWith } from '../support/outcome.ts';
import { eventually } from '../support/patience.ts';
import { nameOf, timeoutHeader, wires } from '../support/transports.ts';
import { echoOf, serve } from './echo.ts';
import { call } from './raw.ts';

const never = () => new Promise<never>(() => {});
const hangingStream = () => ({ [Symbol.asyncIterator]: () => ({ next: never }) });

/** Waits for the signal as most libraries do. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

for (const wire of wires) {
  describe(`deadlines of ${nameOf(wire)}`, () => {
    it('end a unary method that hangs', async (t) => {
      const serving = await serve(t, { unary: never });
      const error = await endsWith(
        Code.DeadlineExceeded,
        echoOf(serving, wire).unary({}, timeoutHeader(wire, 30)),
      );
      assert.equal(error.rawMessage, 'the deadline passed before the call was done');
      const line = await serving.line(({ code }) => code === 'DEADLINE_EXCEEDED');
      assert.equal(line.deadlineMs, 30);
    });

    it('abort the signal of the method with the reason', async (t) => {
      let reason: unknown;
      const serving = await serve(t, {
        unary: (_, { signal }) =>
          aborted(signal).catch((thrown) => {
            reason = thrown;
            throw thrown;
          }),
      });
      await endsWith(Code.DeadlineExceeded, echoOf(serving, wire).unary({}, timeoutHeader(wire, 30)));
      assert.ok(await eventually(() => reason !== undefined));
      assert.equal(ConnectError.from(reason).code, Code.DeadlineExceeded);
    });

    it("take a method's AbortError for what it is", async (t) => {
      const serving = await serve(t, {
        unary: (_, { signal }) =>
          aborted(signal).catch(() => {
            throw new DOMException('This operation was aborted', 'AbortError');
          }),
      });
      await endsWith(Code.DeadlineExceeded, echoOf(serving, wire).unary({}, timeoutHeader(wire, 30)));
    });

    it('end a stream whose generator hangs', async (t) => {
      const serving = await serve(t, {
        async *serverStream() {
          yield { text: 'first' };
          await never();
        },
      });
      const stream = echoOf(serving, wire).serverStream({}, timeoutHeader(wire, 60))[Symbol.asyncIterator]();
      assert.equal((await stream.next()).value?.text, 'first');
      await endsWith(Code.DeadlineExceeded, stream.next());
    });

    it('end a stream that never begins', async (t) => {
      const serving = await serve(t, {
        serverStream: hangingStream,
      });
      await endsWith(
        Code.DeadlineExceeded,
        all(echoOf(serving, wire).serverStream({}, timeoutHeader(wire, 30))),
      );
    });

    it('end a call whose request never does', async (t) => {
      const serving = await serve(t, { unary: () => ({}) }, { limits: { flushTimeoutMs: 30 } });
      const { status, headers } = await call(serving, wire, {
        headers: timeoutHeader(wire, 30).headers,
        isEndless: true,
      });
      if (wire.protocol === 'connect') assert.equal(status, 504);
      else assert.match(headers, /grpc-status: 4/);
      await serving.line(({ code }) => code === 'DEADLINE_EXCEEDED');
    });

    it('reset a call whose client does not read', async (t) => {
      let isLeft = false;
      const serving = await serve(
        t,
        {
          async *serverStream() {
            try {
              for (;;) yield { pad: new Uint8Array(100_000) };
            } finally {
              isLeft = true;
            }
          },
        },
        { limits: { flushTimeoutMs: 30 } },
      );
      await call(serving, wire, {
        method: 'ServerStream',
        headers: timeoutHeader(wire, 60).headers,
        isReading: false,
      });
      assert.ok(await eventually(() => isLeft), 'the generator has not been ended');
      await serving.line(({ code }) => code === 'DEADLINE_EXCEEDED');
    });

    it('are the default when the client asks for none, and never above the cap', async (t) => {
      const serving = await serve(
        t,
        { unary: (_, { timeoutMs }) => ({ index: Math.ceil(timeoutMs() ?? 0) }) },
        { limits: { defaultDeadlineMs: 5_000, maxDeadlineMs: 9_000 } },
      );
      const echo = echoOf(serving, wire);
      const granted = async (ms?: number) =>
        (await echo.unary({}, ms === undefined ? {} : timeoutHeader(wire, ms))).index;
      const within = (value: number, from: number, to: number) =>
        assert.ok(value > from && value <= to, `${value} is not in (${from}, ${to}]`);
      within(await granted(), 0, 5_000);
      within(await granted(8_000), 5_000, 8_000);
      within(await granted(10_000_000), 8_000, 9_000);
    });

    it('that are tiny have passed', async (t) => {
      const serving = await serve(t, { unary: never });
      const headers = wire.protocol === 'connect' ? { 'connect-timeout-ms': '0' } : { 'grpc-timeout': '1n' };
      await endsWith(Code.DeadlineExceeded, echoOf(serving, wire).unary({}, { headers }));
    });

    it('that are malformed are refused, and the method is not called', async (t) => {
      let calls = 0;
      const serving = await serve(t, {
        unary() {
          calls++;
          return {};
        },
      });
      const echo = echoOf(serving, wire);
      const name = wire.protocol === 'connect' ? 'connect-timeout-ms' : 'grpc-timeout';
      for (const value of ['-1', 'soon', '1.', '.5', '1 s']) {
        await endsWith(Code.InvalidArgument, echo.unary({}, { headers: { [name]: value } }));
      }
      assert.equal(calls, 0);
      await serving.line(({ code }) => code === 'INVALID_ARGUMENT');
    });
  });
}

for (const wire of wires.filter((it) => it.http === '2')) {
  it(`deadlines end client and bidi streams that hang over ${nameOf(wire)}`, async (t) => {
    const serving = await serve(t, {
      clientStream: never,
      bidi: hangingStream,
    });
    const echo = echoOf(serving, wire);
    async function* endless() {
      yield { text: 'a' };
      await never();
    }
    await endsWith(Code.DeadlineExceeded, echo.clientStream(endless(), timeoutHeader(wire, 30)));
    await endsWith(Code.DeadlineExceeded, all(echo.bidi(endless(), timeoutHeader(wire, 30))));
  });
}
