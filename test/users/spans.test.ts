// Proves that the spans of a call say what was done, and nothing of whom: no name, no address, no password, no hash.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { it } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { CallTrace } from '../../functions/rpc/index.ts';
import { traceKey } from '../../functions/rpc/telemetry/trace.ts';
import {
  CheckPasswordRequestSchema,
  CreateUserRequestSchema,
  DeleteUserRequestSchema,
  GetAccountRequestSchema,
  ListUsersRequestSchema,
  UpdateUserRequestSchema,
} from '../../proto/gen/users_types_pb.js';
import { addressed } from './keys.ts';
import { mark } from './secret-attempts.ts';
import { contextOf, usersService } from './serving.ts';
import { outcomeOf } from './told.ts';

it('spans of all methods tell what was done, and of nobody', async () => {
  const service = usersService();
  const email = `${mark}@example.com`;
  const [password, key] = [`${mark}!`, addressed(email)];
  const requestId = randomUUID();
  const change = create(UpdateUserRequestSchema, { key, password, username: `${mark}2`, requestId });
  const traced = async (
    method: Parameters<typeof contextOf>[0],
    call: (context: ReturnType<typeof contextOf>) => Promise<unknown>,
  ) => {
    const context = contextOf(method);
    const trace = new CallTrace({
      traceId: '0af7651916cd43dd8448eb211c80319c',
      isSampled: true,
      parent: undefined,
      link: undefined,
    });
    context.values.set(traceKey, trace);
    const outcome = await outcomeOf(call(context));
    const shown = JSON.stringify(
      trace.spans.map(({ name, attributes, error }) => [name, attributes, `${error}`]),
    );
    assert.ok(!shown.toLowerCase().includes(mark.toLowerCase()) && !shown.includes('argon2'), shown);
    return [outcome, ...trace.spans.map(({ name }) => name)];
  };
  const check = (text: string) => (context: ReturnType<typeof contextOf>) =>
    service.checkPassword(create(CheckPasswordRequestSchema, { key, password: text }), context);
  const signUp = create(CreateUserRequestSchema, { username: mark, email, password });
  assert.deepEqual(
    [
      await traced('createUser', async (context) => service.createUser(signUp, context)),
      await traced('checkPassword', async (context) => check(password)(context)),
      await traced('checkPassword', async (context) => check(`${password}?`)(context)),
      await traced('getAccount', async (context) =>
        service.getAccount(create(GetAccountRequestSchema, { key }), context),
      ),
      await traced('updateUser', async (context) => service.updateUser(change, context)),
      await traced('updateUser', async (context) => service.updateUser(change, context)),
      await traced('listUsers', async (context) =>
        service.listUsers(create(ListUsersRequestSchema, { usernamePrefix: mark }), context),
      ),
      await traced('deleteUser', async (context) =>
        service.deleteUser(create(DeleteUserRequestSchema, { key }), context),
      ),
    ],
    [
      ['OK', 'store.precheck', 'password.hash', 'store.signUp'],
      ['OK', 'store.account', 'password.check'],
      ['WRONG_PASSWORD', 'store.account', 'password.check'],
      ['OK', 'store.account'],
      ['OK', 'store.account', 'store.recall', 'store.account', 'password.hash', 'store.change'],
      ['OK', 'store.account', 'store.recall', 'password.hash', 'store.account'],
      ['OK', 'store.list'],
      ['OK', 'store.account', 'store.remove'],
    ],
  );
});
