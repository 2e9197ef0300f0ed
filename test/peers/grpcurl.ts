import assert from 'node:assert/strict';
import { goTool, run } from '../conformance/tool.ts';
import { uniqueName } from '../e2e/target.ts';
import type { Peer } from './peer.ts';

/** grpcurl, on grpc-go and its own HTTP/2: no schema, it asks by reflection. */
export const grpcurl: Peer = {
  name: 'grpcurl (grpc-go), by reflection',
  async run(target, check) {
    const tool = await goTool('grpcurl');
    const trust = target.caFile ? ['-cacert', target.caFile] : ['-plaintext'];
    const token = target.token ? ['-H', `authorization: Bearer ${target.token}`] : [];
    const address = `${target.host}:${target.port}`;
    const call = (method: string, body: object, ...args: string[]) =>
      run(tool, [...trust, ...token, ...args, '-d', '@', address, method], {
        input: Buffer.from(JSON.stringify(body)),
      });
    const username = uniqueName();

    await check('list and describe services', async () => {
      const listed = (await run(tool, [...trust, ...token, address, 'list'])).output.trim().split('\n');
      assert.deepEqual(listed.filter((it) => !it.startsWith('grpc.reflection')).sort(), [
        'Users',
        'grpc.health.v1.Health',
      ]);
      const { output } = await run(tool, [...trust, ...token, address, 'describe', 'users.GetUsersResult']);
      assert.match(output, /\.users\.User missing = 2;/);
    });
    await check('create a user, with metadata; the request id comes back', async () => {
      const metadata = ['-H', 'ip: 127.0.0.1', '-H', 'trace-bin: AP8', '-H', 'x-request-id: peer-1'];
      const { code, output } = await call('Users.CreateUser', { username }, '-v', ...metadata);
      assert.equal(code, 0, output);
      assert.ok(output.includes(`"username": "${username}"`), output);
      assert.match(output, /^x-request-id: peer-1$/m);
    });
    await check('stream 1,000 users', async () => {
      const { code, output } = await call('Users.GetUsers', { user: Array(1000).fill({ username }) });
      assert.equal(code, 0, output);
      assert.equal(output.split(username).length - 1, 1000);
    });
    await check('a name that is taken: ALREADY_EXISTS with ErrorInfo', async () => {
      const { code, output } = await call('Users.CreateUser', { username });
      assert.equal(code, 64 + 6, output); // grpcurl's exit code is the status, above 64
      assert.match(output, /google\.rpc\.ErrorInfo/);
      // Reflection has told it the type of the details.
      assert.match(output, /"reason": "USERNAME_TAKEN"/);
    });
    await check('change what a mask names, by types of protobuf that reflection tells; remove', async () => {
      // It reads a FieldMask as any other message, not by its JSON.
      const key = { username };
      const { code, output } = await call('Users.UpdateUser', {
        key,
        email: `${username}@example.com`,
        updateMask: { paths: ['email'] },
      });
      assert.equal(code, 0, output);
      assert.ok(output.includes(`"email": "${username}@example.com"`), output);
      assert.match(output, /"createdAt": "20\d\d-/);
      assert.equal((await call('Users.DeleteUser', { key })).code, 0);
      assert.equal((await call('Users.GetAccount', { key })).code, 64 + 5);
    });
    await check('a deadline: DEADLINE_EXCEEDED', async () => {
      // It keeps grpc-timeout for itself, its deadline covers connecting and reflection too, and one that passes
      // while it still reads its input goes unreported: hence the first that passes during the call.
      const many = { user: Array(10_000).fill({ username }) };
      for (let seconds = 0.02; ; seconds *= 1.3) {
        const { code, output } = await call('Users.GetUsers', many, '-max-time', String(seconds));
        if (/Code: DeadlineExceeded/.test(output)) return assert.equal(code, 64 + 4);
        assert.ok(code !== 0 || output === '', `${seconds} s were enough`);
      }
    });
    await check('health', async () => {
      const { output } = await call('grpc.health.v1.Health.Check', { service: 'Users' });
      assert.match(output, /"status": "SERVING"/);
    });
  },
};
