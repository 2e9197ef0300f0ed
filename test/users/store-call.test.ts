// Proves how a call of the store ends: with its answer, the reason of the signal, or STORE_UNAVAILABLE, whichever
// is first; and that no timer and no listener is left, whichever it was.
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { beforeEach, describe, it } from 'node:test';
import { Code, ConnectError } from '@connectrpc/connect';
import { StoreError } from '../../functions/users/store.ts';
import { callStore } from '../../functions/users/store-call.ts';

const timers = () => process.getActiveResourcesInfo().filter((it) => it === 'Timeout').length;

/** Lets everything happen that is not waiting for the test. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('callStore', () => {
  let caller = new AbortController();
  let timersBefore = 0;
  beforeEach(() => {
    caller = new AbortController();
    timersBefore = timers();
  });
  const options = (storeTimeoutMs = 60_000) => ({
    context: caller,
    limits: { storeTimeoutMs },
    retrySafe: true,
  });
  function assertNothingLeft(): void {
    assert.equal(timers(), timersBefore);
    assert.deepEqual(getEventListeners(caller.signal, 'abort'), []);
  }

  it('returns an answer that is there at once, and touches neither timer nor signal for it', async () => {
    let touched = 0;
    const context = {
      get signal() {
        touched += 1;
        return caller.signal;
      },
    };
    // From a promise's reaction, as the server calls its methods.
    const answer = await Promise.resolve().then(() => callStore(async () => 7, { ...options(), context }));
    assert.equal(answer, 7);
    await settled();
    assert.equal(touched, 0);
    assertNothingLeft();
  });

  it('returns an answer that takes longer, and measures its time', async () => {
    let within: AbortSignal | undefined;
    const { promise, resolve } = Promise.withResolvers<number>();
    const answer = callStore((signal) => {
      within = signal;
      return promise;
    }, options());
    await settled();
    assert.equal(timers(), timersBefore + 1);
    resolve(7);
    assert.equal(await answer, 7);
    assert.equal(within?.aborted, false);
    assertNothingLeft();
  });

  it('measures no time and touches no signal for a store that answers at once', async () => {
    const context = {
      get signal(): AbortSignal {
        return assert.fail('touched');
      },
    };
    assert.equal(await callStore(async () => 7, { ...options(), context }), 7);
    await new Promise((resolve) => setImmediate(resolve));
    assertNothingLeft();
  });

  it('turns a StoreError into STORE_UNAVAILABLE, with the cause for the log', async () => {
    const cause = new StoreError('throttled', { retrySafe: true });
    const call = callStore(() => Promise.reject(cause), options());
    await assert.rejects(call, (error) => {
      assert.ok(error instanceof ConnectError);
      assert.equal(error.code, Code.Unavailable);
      assert.equal(error.cause, cause);
      return true;
    });
    assertNothingLeft();
  });

  it('passes other errors on as they are, also those thrown at once', async () => {
    const error = new TypeError('a fault');
    await assert.rejects(
      callStore(() => Promise.reject(error), options()),
      error,
    );
    assertNothingLeft();
    const throws = () => {
      throw error;
    };
    await assert.rejects(callStore(throws, options()), error);
    assertNothingLeft();
  });

  it('gives up after the time and tells the store, whose late answer or error is nobody’s', async () => {
    for (const late of ['answer', 'error']) {
      let end = () => {};
      let within: AbortSignal | undefined;
      const call = callStore((signal) => {
        within = signal;
        return new Promise<void>((resolve, reject) => {
          end = () => (late === 'answer' ? resolve() : reject(new Error('late')));
        });
      }, options(5));
      await assert.rejects(call, (error) => error instanceof ConnectError && error.code === Code.Unavailable);
      assert.ok(within?.aborted);
      assertNothingLeft();
      end();
      await settled();
    }
  });

  it('ends with the reason of the signal at once', async () => {
    let within: AbortSignal | undefined;
    const call = callStore((signal) => {
      within = signal;
      return new Promise(() => {});
    }, options());
    const reason = new Error('gone');
    caller.abort(reason);
    await assert.rejects(call, reason);
    assert.equal(within?.reason, reason);
    assertNothingLeft();
  });

  it('ends with the reason of a call that was over before, even if the store hangs', async () => {
    let within: AbortSignal | undefined;
    const reason = new Error('gone');
    caller.abort(reason);
    const call = callStore((signal) => {
      within = signal;
      return new Promise(() => {});
    }, options());
    await assert.rejects(call, reason);
    assert.equal(within?.reason, reason);
    assertNothingLeft();
  });
});
