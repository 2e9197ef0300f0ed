// Proves that a store which answers late to some calls harms neither those that it answers at once nor those of the
// other kind, that what is beyond the most that may wait is refused before the store hears of it, and that a place is
// free again when a call has ended, however.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ConnectError } from '@connectrpc/connect';
import { ErrorInfoSchema } from '../../functions/rpc/index.ts';
import type { UserStore } from '../../functions/users/store.ts';
import { limitedStore } from '../../functions/users/store-limit.ts';
import { memoryStore } from '../../functions/users/stores/memory.ts';

const maxStoreCalls = 4;
const limits = { minStoreCalls: 1, maxStoreCalls, storeSlowAfterMs: 60_000 };
const { signal } = new AbortController();

/** Answers to look-ups of `slow` once it is told to. */
function slowStore() {
  const store = memoryStore();
  const waiting: PromiseWithResolvers<void>[] = [];
  const slow: UserStore = {
    ...store,
    async find(wanted, stop) {
      if (wanted.some((it) => 'username' in it && it.username === 'slow')) {
        const turn = Promise.withResolvers<void>();
        waiting.push(turn);
        await turn.promise;
      }
      return store.find(wanted, stop);
    },
  };
  const limited = limitedStore(slow, limits);
  const find = (username: string) => limited.find([{ username, userId: 0 }], signal);
  return { limited, find, waiting };
}

async function assertRefused(call: Promise<unknown>): Promise<void> {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof ConnectError);
    assert.equal(error.findDetails(ErrorInfoSchema)[0]?.reason, 'OVERLOADED');
    return true;
  });
}

it('calls that wait hold up no others, as long as there is a place', async () => {
  const { limited, find, waiting } = slowStore();
  const slow = Array.from({ length: maxStoreCalls - 1 }, () => find('slow'));
  for (let count = 0; count < 100; count++) assert.deepEqual(await find('quick'), [undefined]);
  for (const turn of waiting) turn.resolve();
  await Promise.all(slow);
  await limited.close();
});

it('what is beyond the most is refused, reads and writes apart, until a place is free', async () => {
  const { limited, find, waiting } = slowStore();
  const slow = Array.from({ length: maxStoreCalls }, () => find('slow'));
  await assertRefused(find('slow'));
  await assertRefused(find('quick'));
  assert.equal(waiting.length, maxStoreCalls);
  const { outcome } = await limited.signUp({ username: 'tom', userId: 1 }, signal);
  assert.equal(outcome, 'created');
  waiting[0]?.reject(new Error('broken'));
  await assert.rejects(slow[0] ?? Promise.resolve(), { message: 'broken' });
  assert.deepEqual(await find('quick'), [undefined]);
  for (const turn of waiting) turn.resolve();
  await Promise.allSettled(slow);
  await limited.close();
});
