// Proves that the sample users are there after the start, each once, however often the server starts; and that a
// store which fails is not mistaken for one that has them. That they leave no line in the log is
// test/docs/readme.test.ts's: the banner of `npm run dev` comes first.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { addSamples, sampleUsernames } from '../../functions/users/samples.ts';
import { StoreError } from '../../functions/users/store.ts';
import {
  CreateUserRequestSchema,
  GetUsersRequestSchema,
  UserSchema,
} from '../../proto/gen/users_types_pb.js';
import { all } from '../support/outcome.ts';
import { contextOf, storeWith, usersService } from './serving.ts';

describe('addSamples', () => {
  it('adds those that are missing, and tells which', async () => {
    const users = usersService();
    const christie = create(CreateUserRequestSchema, { username: 'Christie' });
    await users.createUser(christie, contextOf('createUser'));
    assert.deepEqual(await addSamples(users), ['alexa']);
    assert.deepEqual(await addSamples(users), []);
    const user = sampleUsernames.map((username) => create(UserSchema, { username }));
    const results = await all(users.getUsers(create(GetUsersRequestSchema, { user }), contextOf('getUsers')));
    assert.deepEqual(
      results.map(({ result }) => result?.case),
      ['user', 'user'],
    );
  });

  it('fails with the store', async () => {
    const signUp = () => Promise.reject(new StoreError('full', { retrySafe: false }));
    const added = addSamples(usersService({ store: storeWith({ signUp }) }));
    await assert.rejects(added, (error) => {
      assert.ok(error instanceof StoreError);
      assert.equal(error.message, 'cannot add the sample users: full');
      return true;
    });
  });
});
