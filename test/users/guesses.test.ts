// Proves that guesses are counted for users and callers apart, come in again with time, are taken back where nothing
// was wrong, and that whoever is spent counts for nobody else.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { ConnectError } from '@connectrpc/connect';
import { ErrorInfoSchema, RetryInfoSchema } from '../../functions/rpc/index.ts';
import { Guesses } from '../../functions/users/guesses.ts';
import { guessedUser } from '../../functions/users/user-key.ts';
import { UserKeySchema } from '../../proto/gen/users_types_pb.js';
import { addressed, named, numbered } from './keys.ts';

function counted(maxCountedGuessers = 100) {
  const clock = { nowMs: 0 };
  const limits = {
    maxWrongPasswordsPerUser: 2,
    wrongPasswordRefillMs: 1_000,
    maxWrongPasswordsPerClient: 1,
    wrongPasswordPerClientRefillMs: 5_000,
    maxWrongPasswordsPerCaller: 3,
    wrongPasswordPerCallerRefillMs: 10_000,
    maxCountedGuessers,
  };
  const guesses = new Guesses(limits, () => clock.nowMs);
  /** Why no guess is taken, and until when, or how to take it back. */
  const take = (user: string, caller: string, client = '') => {
    try {
      return guesses.take(user, caller, client);
    } catch (error) {
      assert.ok(error instanceof ConnectError);
      const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
      return `${error.findDetails(ErrorInfoSchema)[0]?.reason} ${delay?.seconds}`;
    }
  };
  return { clock, take };
}

describe('guesses', () => {
  it('are so many for a user, from whomever, and then one each time', () => {
    const { clock, take } = counted();
    for (const caller of ['a', 'b']) assert.equal(typeof take('tom', caller), 'function');
    assert.equal(take('tom', 'c'), 'USER_GUESSES_SPENT 1');
    assert.equal(typeof take('ann', 'c'), 'function');
    clock.nowMs += 1_000;
    assert.equal(typeof take('tom', 'c'), 'function');
    assert.equal(take('tom', 'c'), 'USER_GUESSES_SPENT 1');
  });

  it('are so many for a caller, of whomever; one that is refused for its user counts for neither', () => {
    const { take } = counted();
    for (const user of ['1', '1']) assert.equal(typeof take(user, 'a'), 'function');
    for (let time = 0; time < 5; time += 1) assert.equal(take('1', 'a'), 'USER_GUESSES_SPENT 1');
    assert.equal(typeof take('2', 'a'), 'function');
    for (let time = 0; time < 5; time += 1) assert.equal(take('3', 'a'), 'CALLER_GUESSES_SPENT 10');
    for (const caller of ['b', 'c']) assert.equal(typeof take('3', caller), 'function');
  });

  it('are so many for a client that a caller names, and another of it goes on', () => {
    const { clock, take } = counted();
    assert.equal(typeof take('1', 'page', 'x'), 'function');
    for (let time = 0; time < 5; time += 1) assert.equal(take('2', 'page', 'x'), 'CLIENT_GUESSES_SPENT 5');
    assert.equal(typeof take('2', 'page', 'y'), 'function');
    assert.equal(typeof take('3', 'other page', 'x'), 'function');
    clock.nowMs += 5_000;
    assert.equal(typeof take('2', 'page', 'x'), 'function');
    assert.equal(take('4', 'page', 'z'), 'CALLER_GUESSES_SPENT 5');
  });

  it('are taken back', () => {
    const { take } = counted();
    for (let time = 0; time < 10; time += 1) {
      const taken = take('tom', 'a');
      assert.ok(typeof taken === 'function');
      taken();
    }
    for (let time = 0; time < 2; time += 1) assert.equal(typeof take('tom', 'a'), 'function');
    assert.equal(take('tom', 'a'), 'USER_GUESSES_SPENT 1');
  });

  it('are of one user whatever the case, and kinds of keys are not mixed up', () => {
    const of = (key: ReturnType<typeof named> | ReturnType<typeof addressed> | ReturnType<typeof numbered>) =>
      guessedUser(create(UserKeySchema, key));
    assert.equal(of(named('Tom')), of(named('tOM')));
    assert.equal(of(addressed('É@x.org')), of(addressed('e\u0301@X.org')));
    const all = [named('7'), addressed('7'), numbered(7), named('tom'), addressed('tom')].map(of);
    assert.equal(new Set(all).size, 5);
    assert.equal(of(named('x'.repeat(100_000))).length, 43);
  });
});
