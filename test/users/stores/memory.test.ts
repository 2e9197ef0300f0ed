// The store in memory keeps the contract of every store, and refuses users beyond its limit.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StoreError } from '../../../functions/users/store.ts';
import { memoryStore } from '../../../functions/users/stores/memory.ts';
import { storeContract } from './contract.ts';
import { unbounded } from './contract-setting.ts';

storeContract({
  name: 'memory',
  fixture: () => ({ open: (now) => memoryStore({ now }), remove: () => {} }),
  shared: false,
  usersToRead: 10_000,
});

test('memory store: full, it says so, and what is there stays', async () => {
  const store = memoryStore({ limits: { maxMemoryUsers: 1 } });
  await store.signUp({ username: 'ann', userId: 1 }, unbounded);
  await assert.rejects(
    store.signUp({ username: 'bob', userId: 2 }, unbounded),
    (error) => error instanceof StoreError && /takes 1 users/.test(error.message),
  );
  assert.deepEqual(await store.find([{ username: 'ann', userId: 0 }], unbounded), [
    { username: 'ann', userId: 1 },
  ]);
});
