import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import { createClient } from '@connectrpc/connect';
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node';
import { Users } from '../proto/gen/users_pb.js';
import { knownUsers, type Load } from './loads.ts';

/** Lets a real client call a server before it is timed, and makes the users known to it. Throws if it errs. */
export async function checkAnswers(port: number): Promise<void> {
  const baseUrl = `http://127.0.0.1:${port}`;
  const sessionManager = new Http2SessionManager(baseUrl);
  const client = createClient(Users, createGrpcTransport({ baseUrl, sessionManager }));
  try {
    for (const username of knownUsers) {
      const { user } = await client.createUser({ username }, { timeoutMs: 5000 });
      assert.equal(user?.username, username);
      assert.ok(user.userId > 0);
    }
    const asked = [...knownUsers, ...knownUsers.slice(0, 3)];
    const answered: string[] = [];
    for await (const { result } of client.getUsers({ user: asked.map((username) => ({ username })) })) {
      assert.equal(result.case, 'user');
      answered.push(result.value.username);
    }
    assert.deepEqual(answered, asked);
  } finally {
    sessionManager.abort();
  }
}

/**
 * Makes a call of a load as it will be made, and returns the bytes of the messages that answer it.
 * Throws if they are not as many as they must be, or the status is not OK.
 */
export async function checkLoad(port: number, load: Load): Promise<number> {
  const session = http2.connect(`http://127.0.0.1:${port}`);
  try {
    const request = session.request({ ':method': 'POST', ':path': load.path, ...load.headers });
    let status: unknown;
    request.on('response', (headers) => {
      status = headers['grpc-status'];
    });
    request.on('trailers', (trailers) => {
      status = trailers['grpc-status'];
    });
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.end(load.body);
    await once(request, 'end');
    const answer = Buffer.concat(chunks);
    let messages = 0;
    for (let at = 0; at < answer.length; at += 5 + answer.readUInt32BE(at + 1)) messages += 1;
    assert.equal(status, '0', `grpc-status of ${load.title}`);
    assert.equal(messages, load.messages, `messages of ${load.title}`);
    return answer.length;
  } finally {
    session.destroy();
  }
}
