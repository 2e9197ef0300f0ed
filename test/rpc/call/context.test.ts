// Proves that whoever waits for the abort of a call hears of it once, whatever others do with it; that one who is taken
// back does not; and that a context that was made of a call's has a signal of its own.
import assert from 'node:assert/strict';
import { it, type TestContext } from 'node:test';
import type { HandlerContext } from '@connectrpc/connect';
import { CallContext } from '../../../functions/rpc/call/context.ts';
import { onAbort } from '../../../functions/rpc/index.ts';
import { echoOf, serve } from '../echo.ts';

/** Calls a method, and looks at its context while it runs. */
async function within(t: TestContext, look: (context: CallContext) => void): Promise<void> {
  const looked = Promise.withResolvers<void>();
  const serving = await serve(t, {
    unary({ text }, context: HandlerContext) {
      assert.ok(context instanceof CallContext);
      try {
        look(context);
        looked.resolve();
      } catch (error) {
        looked.reject(error);
      }
      return { text };
    },
  });
  await echoOf(serving, { protocol: 'grpc', http: '2' }).unary({ text: 'a' });
  await looked.promise;
}

it('each hears of it once, also where another throws, comes late, or is taken back by one that hears', (t) =>
  within(t, (context) => {
    const heard: unknown[] = [];
    const reason = new Error('gone');
    const fault = new Error('a fault of a listener');
    const tell = (name: string) => (why: unknown) => heard.push(name, why);
    onAbort(context, tell('a'));
    onAbort(context, tell('taken back'))();
    onAbort(context, () => {
      throw fault;
    });
    onAbort(context, () => {
      takeBack();
      onAbort(context, tell('within'));
    });
    const takeBack = onAbort(context, tell('taken back within'));
    onAbort(context, tell('z'));
    const later = t.mock.method(process, 'nextTick', () => {});
    try {
      context.abort(reason);
    } finally {
      later.mock.restore();
    }
    context.abort(reason);
    onAbort(context, tell('afterwards'));
    assert.deepEqual(heard, ['a', reason, 'within', reason, 'z', reason, 'afterwards', reason]);
    const [uncaught] = later.mock.calls.map((it) => it.arguments[0] as () => void);
    assert.throws(() => uncaught?.(), fault);
  }));

it('a context that stands before that of a call, or is made of it, has its own signal', (t) =>
  within(t, (context) => {
    const own = new AbortController();
    const made: HandlerContext = Object.create(context, { signal: { value: own.signal } });
    const before = new Proxy<HandlerContext>(context, {
      get: (target, key) => (key === 'signal' ? own.signal : Reflect.get(target, key)),
    });
    const heard: string[] = [];
    onAbort(made, () => heard.push('made'));
    onAbort(before, () => heard.push('before'));
    context.abort(new Error('of the call'));
    assert.deepEqual(heard, []);
    own.abort();
    assert.deepEqual(heard, ['made', 'before']);
  }));
