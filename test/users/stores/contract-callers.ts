// To whom a request id belongs: each caller has its own, which says nothing of another's; those whom nobody knows share
// theirs, and find what earlier releases have stored.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { Code, ConnectError, createContextValues, createHandlerContext } from '@connectrpc/connect';
import { limits as defaults } from '../../../functions/limits.ts';
import { type Caller, callerKey, callerOfKind } from '../../../functions/rpc/auth/caller.ts';
import { ErrorInfoSchema } from '../../../functions/rpc/index.ts';
import { createUsersService } from '../../../functions/users/service.ts';
import type { UserStore } from '../../../functions/users/store.ts';
import { Users } from '../../../proto/gen/users_pb.js';
import { CreateUserRequestSchema } from '../../../proto/gen/users_types_pb.js';
import { requestKey, type Suite, unbounded } from './contract-setting.ts';

const ann = callerOfKind('key', 'ann', ['*']);
const bob = callerOfKind('key', 'bob', ['*']);
/** The same name, known in another way. */
const annByToken = callerOfKind('token', 'ann', ['*']);

/** Signs up as a caller. Returns the user's id, or the reason of the refusal. */
function signUpsAt(store: UserStore) {
  const limits = { ...defaults, maxRequestIdMismatches: 2 };
  const service = createUsersService({ store, limits });
  return async (caller: Caller | undefined, request: MessageInitShape<typeof CreateUserRequestSchema>) => {
    const context = createHandlerContext({
      service: Users,
      method: Users.method.createUser,
      protocolName: 'grpc',
      requestMethod: 'POST',
      url: 'http://127.0.0.1/',
      contextValues: createContextValues().set(callerKey, caller),
    });
    try {
      const { user } = await service.createUser(create(CreateUserRequestSchema, request), context);
      return user?.userId;
    } catch (error) {
      assert.ok(error instanceof ConnectError && error.code !== Code.Internal, String(error));
      return error.findDetails(ErrorInfoSchema)[0]?.reason;
    }
  };
}

/** Rules of request ids where it is known who calls. */
export function callers(suite: Suite): void {
  const { id: requestId } = requestKey(1);

  test('a request id is its caller’s: a repeat finds its own sign-up, another’s is another', () =>
    suite.withStore(async (store) => {
      const signUp = signUpsAt(store);
      const tom = { username: 'tom', email: 'tom@example.com', password: 'open sesame', requestId };
      const first = await signUp(ann, tom);
      assert.equal(typeof first, 'number');
      for (const caller of [bob, annByToken, undefined]) {
        assert.equal(await signUp(caller, tom), 'USERNAME_TAKEN', caller?.id);
        assert.equal(await signUp(caller, { ...tom, username: 'tim' }), 'EMAIL_TAKEN', caller?.id);
        const other = { username: `by-${caller?.kind}-${caller?.name}`, requestId };
        const own = await signUp(caller, other);
        assert.equal(typeof own, 'number', String(own));
        assert.equal(await signUp(caller, other), own);
      }
      assert.equal(await signUp(ann, tom), first);
      assert.equal(await signUp(ann, { ...tom, requestId: requestId.toUpperCase() }), first);
      assert.equal(await signUp(ann, { ...tom, password: 'another one' }), 'REQUEST_ID_REUSED');
    }));

  test('who guesses at a request id spends its own, not another’s', () =>
    suite.withStore(async (store) => {
      const signUp = signUpsAt(store);
      const first = await signUp(ann, { username: 'tom', requestId });
      assert.equal(typeof (await signUp(bob, { username: 'bob', requestId })), 'number');
      for (let guess = 0; guess < 2; guess += 1)
        assert.equal(await signUp(bob, { username: `tom${guess}`, requestId }), 'REQUEST_ID_REUSED');
      assert.equal(await signUp(bob, { username: 'bob', requestId }), 'REQUEST_ID_SPENT');
      assert.equal(await signUp(ann, { username: 'tom', requestId }), first);
    }));

  test('one whom nobody knows finds the sign-up that an earlier release has stored', () =>
    suite.withStore(async (store) => {
      const expiresAtMs = Date.now() + 60_000;
      const id = '9f0e3b1c-6f0b-4c55-8f4a-2d7c3c1a5b9e';
      const stored = {
        username: 'Tom',
        email: 'tom@example.com',
        passwordHash:
          '$argon2id$v=19$m=19456,t=2,p=1$/teYWMdl6q6nIAeg9U0avg$YQaOCqt9aImIakR+x/pmjhDciDUqeqNZX6oUPm3AE9g',
        userId: 7,
        request: { id, fingerprint: 'aYLkvTdqnJS2BfLcvFpWxW_kpx1dN6ya72me1dsXwSA', expiresAtMs },
      };
      assert.equal((await store.signUp(stored, unbounded)).outcome, 'created');
      const request = { username: 'Tom', email: 'tom@example.com', password: 'open sesame', requestId: id };
      const signUp = signUpsAt(store);
      assert.equal(await signUp(undefined, request), 7);
      assert.equal(await signUp(ann, request), 'USERNAME_TAKEN');
    }));
}
