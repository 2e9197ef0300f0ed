// Proves that a call from within the process ends when it must, whatever hangs, the method or its caller's own
// requests: by deadline, by the caller's signal or because that reads no further, and by a drain, which waits for it
// first. The method hears of it, the promises settle, and the log has one line.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type CallOptions, Code, ConnectError, createClient, type ServiceImpl } from '@connectrpc/connect';
import { Health, HealthCheckResponse_ServingStatus as Status } from '../../proto/gen/health/v1/health_pb.js';
import { all, endsWith } from '../support/outcome.ts';
import { eventually, withPatience } from '../support/patience.ts';
import type { Serving } from '../support/server.ts';
import { serve } from './echo.ts';
import { Echo } from './gen/echo_pb.js';

const echoOf = ({ server }: Serving) => createClient(Echo, server.local);
const never = () => new Promise<never>(() => {});

/** Sends these, and then nothing for ever. */
async function* endless(...items: { text: string }[]) {
  yield* items;
  await never();
}

async function* requestsOf(request: object) {
  yield request;
}

/** Methods that hang, each in its own way, and note how they are told of the end. */
function hanging(reasons: unknown[]): Partial<ServiceImpl<typeof Echo>> {
  const note = (signal: AbortSignal) => signal.addEventListener('abort', () => reasons.push(signal.reason));
  return {
    unary(_, { signal }) {
      note(signal);
      return never();
    },
    async *serverStream(_, { signal }) {
      note(signal);
      yield {};
      await never();
    },
    async clientStream(requests) {
      await all(requests).catch((error) => reasons.push(error));
      return {};
    },
    async *bidi(requests) {
      try {
        for await (const _ of requests) yield {};
      } catch (error) {
        reasons.push(error);
      }
    },
  };
}

const calls: Record<string, (serving: Serving, options: CallOptions) => Promise<unknown>> = {
  Unary: (it, options) => echoOf(it).unary({}, options),
  ServerStream: (it, options) => all(echoOf(it).serverStream({}, options)),
  ClientStream: (it, options) => echoOf(it).clientStream(endless({ text: 'a' }), options),
  Bidi: (it, options) => all(echoOf(it).bidi(endless({ text: 'a' }), options)),
};

/** That the log has one line for the call, and that the method has heard of its end. */
async function assertEnded(serving: Serving, reasons: readonly unknown[], code: Code): Promise<void> {
  const name =
    code === Code.Canceled ? 'CANCELLED' : Code[code].replace(/(?<=[a-z])(?=[A-Z])/, '_').toUpperCase();
  await serving.line((it) => it.code === name);
  assert.ok(await eventually(() => reasons.length > 0), 'the method has not heard of it');
  assert.deepEqual(
    reasons.map((it) => ConnectError.from(it).code),
    [code],
  );
  assert.equal(serving.lines.length, 1);
}

for (const [name, call] of Object.entries(calls)) {
  describe(`a call of ${name} from within the process`, () => {
    for (const [which, timeoutMs] of [
      ['own', 40],
      ['default', undefined],
    ] as const) {
      it(`ends by its ${which} deadline`, async (t) => {
        const reasons: unknown[] = [];
        const limits = timeoutMs === undefined ? { defaultDeadlineMs: 40 } : {};
        const serving = await serve(t, hanging(reasons), { limits });
        const error = await endsWith(Code.DeadlineExceeded, call(serving, { timeoutMs }));
        assert.equal(error.rawMessage, 'the deadline passed before the call was done');
        await assertEnded(serving, reasons, Code.DeadlineExceeded);
        assert.equal(serving.lines[0]?.deadlineMs, 40);
      });
    }

    it('ends when its caller cancels it', async (t) => {
      const reasons: unknown[] = [];
      const serving = await serve(t, hanging(reasons));
      const canceled = new AbortController();
      const ended = endsWith(Code.Canceled, call(serving, { signal: canceled.signal }));
      setImmediate(() => canceled.abort());
      await ended;
      await assertEnded(serving, reasons, Code.Canceled);
    });

    it('ends with what its caller cancels it with, before it begins', async (t) => {
      const reasons: unknown[] = [];
      const serving = await serve(t, hanging(reasons));
      const signal = AbortSignal.abort(new ConnectError('mine', Code.Aborted));
      assert.equal((await endsWith(Code.Aborted, call(serving, { signal }))).rawMessage, 'mine');
      await serving.line(({ code }) => code === 'ABORTED');
      assert.deepEqual([serving.lines.length, reasons], [1, []]);
    });

    it('ends with the server', async (t) => {
      const reasons: unknown[] = [];
      const serving = await serve(t, hanging(reasons), { limits: { drainTimeoutMs: 40 } });
      const ended = endsWith(Code.Unavailable, call(serving, {}));
      await new Promise((resolve) => setImmediate(resolve));
      assert.ok(await withPatience(serving.server.drain().then(() => true)), 'the drain does not end');
      await ended;
      await assertEnded(serving, reasons, Code.Unavailable);
    });
  });
}

it('a stream from within the process ends where its caller stops to read', async (t) => {
  let isLeft = false;
  const serving = await serve(t, {
    async *serverStream(_, { signal }) {
      try {
        for (;;) yield {};
      } finally {
        isLeft = signal.aborted;
      }
    },
  });
  // connect's own clients never say that they read no further.
  const { message } = await serving.server.local.stream(
    Echo.method.serverStream,
    undefined,
    undefined,
    undefined,
    requestsOf({}),
  );
  for await (const _ of message) break;
  await serving.line(({ code }) => code === 'CANCELLED');
  assert.ok(isLeft, 'the generator of the method goes on, or does not know why it ends');
  assert.equal(serving.lines.length, 1);
});

it('the requests of a caller within the process end where the method stops to read', async (t) => {
  let isLeft = false;
  async function* requests() {
    try {
      for (;;) yield { text: 'enough' };
    } finally {
      isLeft = true;
    }
  }
  const serving = await serve(t, {
    async clientStream(sent) {
      for await (const { text } of sent) return { text };
      return {};
    },
  });
  assert.equal((await echoOf(serving).clientStream(requests())).text, 'enough');
  assert.ok(await eventually(() => isLeft), 'the generator of the caller goes on');
  await serving.line(({ code }) => code === 'OK');
  assert.equal(serving.lines.length, 1);
});

it('a call from within the process ends though its one request never comes', async (t) => {
  const serving = await serve(t, {
    async *serverStream() {
      yield {};
    },
  });
  const { serverStream } = Echo.method;
  const call = async () =>
    all((await serving.server.local.stream(serverStream, undefined, 40, undefined, endless())).message);
  await endsWith(Code.DeadlineExceeded, call());
  await serving.line(({ code }) => code === 'DEADLINE_EXCEEDED');
});

it('a drain waits for calls from within the process, and not for watches', async (t) => {
  const go = Promise.withResolvers<void>();
  const serving = await serve(t, {
    async unary() {
      await go.promise;
      return { text: 'done' };
    },
  });
  const watch = createClient(Health, serving.server.local).watch({})[Symbol.asyncIterator]();
  assert.equal((await watch.next()).value?.status, Status.SERVING);
  const unary = echoOf(serving).unary({});
  let isDrained = false;
  const drained = serving.server.drain().then(() => {
    isDrained = true;
  });
  await endsWith(
    Code.Unavailable,
    (async () => {
      while (!(await watch.next()).done);
    })(),
  );
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(isDrained, false);
  go.resolve();
  assert.equal((await unary).text, 'done');
  await drained;
});
