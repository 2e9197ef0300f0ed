import assert from 'node:assert/strict';
import { MissingTool, run } from '../conformance/tool.ts';
import { uniqueName } from '../e2e/target.ts';
import type { Peer, PeerTarget } from './peer.ts';

/** curl: HTTP/1.1, and HTTP/2 by nghttp2. */
export const curl: Peer = {
  name: 'curl',
  async run(target, check) {
    const { code } = await run('curl', ['--version']).catch(() => ({ code: 1 }));
    if (code !== 0) throw new MissingTool('curl is not on this machine');
    const h2 = target.caFile ? '--http2' : '--http2-prior-knowledge';
    for (const version of ['--http1.1', h2]) {
      const name = uniqueName();
      const json = ['-H', 'content-type: application/json'];
      const http = version.slice(2);
      const call = (path: string, ...args: string[]) => request(target, path, [version, ...args]);

      await check(`${http}: create a user, Connect JSON; the request id comes back`, async () => {
        const answer = await call(
          '/Users/CreateUser',
          ...json,
          '-H',
          'x-request-id: peer-1',
          '-d',
          body(name),
        );
        assert.match(answer, /^HTTP\/\S+ 200/);
        assert.match(answer, /^x-request-id: peer-1\r$/im);
        assert.ok(answer.includes(`"username":"${name}"`), answer);
      });
      await check(`${http}: a name that is taken: 409 with ErrorInfo`, async () => {
        const answer = await call('/Users/CreateUser', ...json, '-d', body(name));
        assert.match(answer, /^HTTP\/\S+ 409/);
        assert.match(answer, /"code":"already_exists"/);
        assert.match(answer, /"google.rpc.ErrorInfo"/);
      });
      await check(`${http}: a deadline that has passed: deadline_exceeded`, async () => {
        const answer = await call(
          '/Users/CreateUser',
          ...json,
          '-H',
          'connect-timeout-ms: 0',
          '-d',
          body(name),
        );
        assert.match(answer, /"code":"deadline_exceeded"/);
      });
      await check(`${http}: stream users over Connect`, async () => {
        const frame = enveloped(`{"user":[{"username":"${name}"},{"username":"${name}"}]}`);
        const streaming = ['-H', 'content-type: application/connect+json', '--data-binary', '@-'];
        const answer = await request(target, '/Users/GetUsers', [version, ...streaming], frame);
        assert.equal(answer.split(`"username":"${name}"`).length - 1, 2, answer);
      });
      await check(`${http}: stream users as lines of JSON`, async () => {
        const answer = await call(`/users/?username=${name}&username=${name}-nobody`);
        const lines = answer
          .slice(answer.indexOf('\r\n\r\n') + 4)
          .trimEnd()
          .split('\n');
        assert.deepEqual(
          lines.map((it) => Object.keys(JSON.parse(it))),
          [['user'], ['missing']],
        );
      });
      await check(`${http}: /healthz`, async () => {
        assert.match(await call('/healthz'), /^HTTP\/\S+ 200[\s\S]*\r\n\r\nSERVING\n$/);
      });
    }
    const name = uniqueName();
    const grpc = [h2, '-H', 'content-type: application/grpc', '-H', 'te: trailers', '--data-binary', '@-'];
    await check('gRPC by hand: a message, then the status in trailers', async () => {
      const message = Buffer.concat([
        Buffer.from([0, 0, 0, 0, name.length + 2, 10, name.length]),
        Buffer.from(name),
      ]);
      const answer = await request(target, '/Users/CreateUser', grpc, message);
      assert.match(answer, /^content-type: application\/grpc\r$/m);
      assert.match(answer, /grpc-status: 0\r\n/);
    });
    await check('gRPC by hand: bad input and a deadline, as headers only', async () => {
      const empty = Buffer.alloc(5);
      assert.match(await request(target, '/Users/CreateUser', grpc, empty), /^grpc-status: 3\r$/m);
      const late = [...grpc, '-H', 'grpc-timeout: 1n'];
      // Often, as it depends on what is there first: curl hangs when a response has ended before its request.
      for (let count = 0; count < 20; count += 1) {
        assert.match(await request(target, '/Users/CreateUser', late, empty), /^grpc-status: 4\r$/m);
      }
    });
  },
};

function body(username: string): string {
  return JSON.stringify({ username });
}

/** A message of a Connect stream, with its prefix. */
function enveloped(json: string): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(Buffer.byteLength(json), 1);
  return Buffer.concat([prefix, Buffer.from(json)]);
}

/** The response: its head, a blank line, its body, and trailers if there are any. */
async function request(
  target: PeerTarget,
  path: string,
  args: readonly string[],
  input?: Buffer,
): Promise<string> {
  const trust = target.caFile ? ['--cacert', target.caFile] : [];
  const token = target.token ? ['-H', `authorization: Bearer ${target.token}`] : [];
  const command = ['-sS', '-i', '--max-time', '20', ...trust, ...token, ...args, `${target.endpoint}${path}`];
  const { code, output } = await run('curl', command, { input });
  // 92: the server needs no more of the request and says so, with RST_STREAM and NO_ERROR after its response
  // (RFC 9113 section 8.1); curl of that time takes it for an error, but has the response.
  assert.ok(code === 0 || (code === 92 && output.startsWith('HTTP/2')), output);
  return output;
}
