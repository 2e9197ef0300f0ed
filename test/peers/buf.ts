import assert from 'node:assert/strict';
import { run } from '../conformance/tool.ts';
import { uniqueName } from '../e2e/target.ts';
import type { Peer } from './peer.ts';

/** How ErrorInfo with the reason USERNAME_TAKEN begins, as base64: not every protocol's error is decoded. */
const usernameTaken = Buffer.from('\n\x0eUSERNAME_TAKE').toString('base64');

/** `buf curl`, on Go's net/http: no schema, it asks by reflection. */
export const buf: Peer = {
  name: 'buf curl, by reflection',
  async run(target, check) {
    const trust = target.caFile ? ['--cacert', target.caFile] : ['--http2-prior-knowledge'];
    // What it asks by reflection needs the token too.
    const token = target.token
      ? ['-H', `authorization: Bearer ${target.token}`, '--reflect-header', '*']
      : [];
    const call = (protocol: string, method: string, body: object, ...args: string[]) =>
      run(
        'npx',
        [
          ...['--no-install', 'buf', 'curl', '--protocol', protocol, ...trust, ...token, ...args],
          ...['-d', '@-', `${target.endpoint}/Users/${method}`],
        ],
        { input: Buffer.from(JSON.stringify(body)) },
      );
    for (const protocol of ['grpc', 'grpcweb', 'connect']) {
      const username = uniqueName();
      await check(`${protocol}: create a user; the request id comes back`, async () => {
        const { code, output } = await call(
          protocol,
          'CreateUser',
          { username },
          '-v',
          '-H',
          'x-request-id: peer-1',
        );
        assert.equal(code, 0, output);
        assert.ok(
          output.includes(`"username": "${username}"`) || output.includes(`"username":"${username}"`),
          output,
        );
        assert.match(output, /^buf: < \(#\d+\) X-Request-Id: peer-1$/im);
      });
      await check(`${protocol}: stream users`, async () => {
        const { code, output } = await call(protocol, 'GetUsers', { user: [{ username }, { username }] });
        assert.equal(code, 0, output);
        assert.equal(output.split(username).length - 1, 2, output);
      });
      await check(`${protocol}: a name that is taken: already_exists with ErrorInfo`, async () => {
        const { code, output } = await call(protocol, 'CreateUser', { username });
        assert.equal(code, 6 << 3, output); // buf's exit code is the status, shifted by three bits
        assert.match(output, /"code":\s*"already_exists"/);
        assert.ok(output.includes(usernameTaken), output);
      });
      await check(`${protocol}: check a password, change what a mask names, remove`, async () => {
        const key = { username };
        const wrong = await call(protocol, 'CheckPassword', { key, password: 'correct horse' });
        assert.equal(wrong.code, 16 << 3, wrong.output);
        const change = { key, password: 'correct horse', updateMask: 'password' };
        const { output } = await call(protocol, 'UpdateUser', change);
        assert.match(output, /"createdAt":\s*"20\d\d-/);
        const right = await call(protocol, 'CheckPassword', { key, password: 'correct horse' });
        assert.equal(right.code, 0, right.output);
        assert.equal((await call(protocol, 'DeleteUser', { key })).code, 0);
      });
      await check(`${protocol}: a deadline: deadline_exceeded`, async () => {
        // The headers of deadlines are reserved, and --timeout covers reflection too: hence the first that passes
        // during the call.
        const user = Array(10_000).fill({ username });
        for (let ms = 50; ; ms = Math.ceil(ms * 1.3)) {
          const { code, output } = await call(protocol, 'GetUsers', { user }, '--timeout', `${ms}ms`);
          if (/"code":\s*"deadline_exceeded"/.test(output)) return;
          assert.notEqual(code, 0, `${ms} ms were enough`);
        }
      });
    }
    await check('list the methods by reflection v1 and v1alpha', async () => {
      for (const reflection of ['grpc-v1', 'grpc-v1alpha']) {
        const list = ['--list-methods', '--reflect-protocol', reflection, target.endpoint];
        const { output } = await run('npx', ['--no-install', 'buf', 'curl', ...trust, ...token, ...list]);
        assert.match(output, /^Users\/CreateUser$/m);
        assert.match(output, /^Users\/GetUsers$/m);
        assert.match(output, /^Users\/UpdateUser$/m);
      }
    });
  },
};
