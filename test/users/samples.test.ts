// Proves that the sample users are there after the start, each once, however often the server starts; and that a
// store which fails is not mistaken for one that has them.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { addSamples, sampleUsernames } from '../../functions/users/samples.ts';
import { StoreError } from '../../functions/users/store.ts';
import { serveUsers, storeWith } from './serving.ts';

describe('addSamples', () => {
  it('adds those that are missing, and tells which', async (t) => {
    const users = await serveUsers(t);
    await users.createUser({ username: 'Christie' });
    assert.deepEqual(await addSamples(users), ['alexa']);
    assert.deepEqual(await addSamples(users), []);
    const found: (string | undefined)[] = [];
    for await (const { result } of users.getUsers({
      user: sampleUsernames.map((username) => ({ username })),
    })) {
      found.push(result.case);
    }
    assert.deepEqual(found, ['user', 'user']);
  });

  it('fails with the store', async (t) => {
    const signUp = () => Promise.reject(new StoreError('full', { retrySafe: false }));
    const users = await serveUsers(t, { store: storeWith({ signUp }) });
    await assert.rejects(addSamples(users), /unavailable/);
  });
});
