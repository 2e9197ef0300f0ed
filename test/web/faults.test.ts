// Proves that a fault behind /users/ is told to the log, with its cause, and to the client as nothing but INTERNAL.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Code, ConnectError, createClient, createRouterTransport } from '@connectrpc/connect';
import { logFaults } from '../../functions/rpc/call/fault-log.ts';
import { Users } from '../../proto/gen/users_pb.js';

it('logs the cause of a fault in a call inside the process', async () => {
  const fault = new TypeError('a secret of the store');
  const logged: object[] = [];
  const log = { info() {}, warn() {}, error: (fields: object) => void logged.push(fields) };
  const transport = createRouterTransport(
    (router) =>
      router.service(Users, {
        createUser: () => {
          throw new ConnectError('taken', Code.AlreadyExists);
        },
        async *getUsers() {
          yield await Promise.reject(fault);
        },
      }),
    { router: { interceptors: [logFaults(log)] } },
  );
  const users = createClient(Users, transport);
  const results = users.getUsers({ user: [{ username: 'alexa' }] })[Symbol.asyncIterator]();
  await assert.rejects(results.next(), (error) => {
    assert.ok(error instanceof ConnectError);
    assert.equal(error.code, Code.Internal);
    assert.ok(!error.message.includes('secret'));
    return true;
  });
  assert.deepEqual(logged, [{ method: '/Users/GetUsers', err: fault }]);
  await assert.rejects(users.createUser({ username: 'alexa' }), { code: Code.AlreadyExists });
  assert.equal(logged.length, 1, 'an answer is no fault');
});
