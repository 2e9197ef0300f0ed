// Proves that a request which can't be read, such as JSON with a password of the wrong type, is refused, and that what
// it holds reaches no log, over gRPC and Connect.
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { it } from 'node:test';
import { RpcServer } from '../../functions/rpc/server.ts';
import { Users } from '../../proto/gen/users_pb.js';

const secret = '987654321987';
const json = Buffer.from(`{"username":"a","password":${secret}}`);
const prefix = Buffer.alloc(5);
prefix.writeUInt32BE(json.length, 1);

for (const [type, body] of [
  ['application/grpc+json', Buffer.concat([prefix, json])],
  ['application/json', json],
] as const) {
  it(`${type}: nothing of an unreadable request is logged`, async () => {
    const logged = Promise.withResolvers<object>();
    const log = { info: logged.resolve, warn: logged.resolve, error: logged.resolve };
    const server = new RpcServer({
      log,
      logMetadata: 'values',
      routes: (router) => router.service(Users, { createUser: () => assert.fail('called') }),
    });
    const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
    const session = http2.connect(`http://127.0.0.1:${port}`);
    const call = session.request({
      ':method': 'POST',
      ':path': '/Users/CreateUser',
      'content-type': type,
    });
    call.resume().end(body);
    const line = await logged.promise;
    const text = Object.values(line).map((it) =>
      it instanceof Error ? `${it.stack} ${it.cause}` : JSON.stringify(it),
    );
    assert.ok(!text.join(' ').includes(secret), text.join(' '));
    assert.match(text.join(' '), /INVALID_ARGUMENT/);
    session.close();
    await server.close();
  });
}
