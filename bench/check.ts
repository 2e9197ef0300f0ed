import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import { createClient } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node';
import { Users } from '../proto/gen/users_pb.js';
import { knownUsers, type Load } from './loads.ts';
import { originOf, type Running } from './process.ts';

/** Lets a real client call a server before it is timed, and makes the users known to it. Throws if it errs. */
export async function checkAnswers(server: Running): Promise<void> {
  const { subject } = server;
  const baseUrl = originOf(server);
  const sessionManager = new Http2SessionManager(baseUrl, {}, { ca: subject.ca });
  const transport = subject.isHttp1
    ? createConnectTransport({ baseUrl, httpVersion: '1.1' })
    : createGrpcTransport({ baseUrl, sessionManager });
  const client = createClient(Users, transport);
  const { headers } = subject;
  try {
    for (const username of knownUsers) {
      const { user } = await client.createUser({ username }, { timeoutMs: 5000, headers });
      assert.equal(user?.username, username);
      assert.ok(user.userId > 0);
    }
    const asked = [...knownUsers, ...knownUsers.slice(0, 3)];
    const answered: string[] = [];
    const users = client.getUsers({ user: asked.map((username) => ({ username })) }, { headers });
    for await (const { result } of users) {
      assert.equal(result.case, 'user');
      answered.push(result.value.username);
    }
    assert.deepEqual(answered, asked);
  } finally {
    sessionManager.abort();
  }
}

/** A response of HTTP: status, headers and trailers under their names. */
interface Answer {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly body: Buffer;
}

/**
 * Makes a call of a load as it will be made, and returns the bytes of the body that answers it.
 * Throws if the messages in it are not as many as they must be, or the status is not OK.
 */
export async function checkLoad(server: Running, load: Load): Promise<number> {
  const { fields, body } = await (load.isHttp1 ? askHttp1(server.port, load) : askHttp2(server, load));
  const contentType = load.headers['content-type'] ?? '';
  assert.equal(String(fields[':status']), '200', `HTTP status of ${load.title}`);
  assert.ok(String(fields['content-type']).startsWith(contentType), `content type of ${load.title}`);
  if (!contentType.startsWith('application/grpc')) {
    assert.ok(body.includes('alexa'), `message of ${load.title}`);
    return body.length;
  }
  let messages = 0;
  let trailers = `grpc-status: ${fields['grpc-status']}`;
  for (let at = 0; at < body.length; ) {
    const end = at + 5 + body.readUInt32BE(at + 1);
    if (body[at] === 0) messages += 1;
    else trailers = body.toString('latin1', at + 5, end);
    at = end;
  }
  const { refusedAs: status = 0 } = load;
  assert.match(trailers, new RegExp(`^grpc-status: *${status}\\b`), `status of ${load.title}`);
  assert.equal(messages, status === 0 ? load.messages : 0, `messages of ${load.title}`);
  return body.length;
}

async function askHttp2(server: Running, load: Load): Promise<Answer> {
  const session = http2.connect(originOf(server), { ca: server.subject.ca });
  try {
    const request = session.request({ ':method': 'POST', ':path': load.path, ...load.headers });
    const fields = {};
    request.on('response', (headers) => Object.assign(fields, headers));
    request.on('trailers', (trailers) => Object.assign(fields, trailers));
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.end(load.body);
    await once(request, 'end');
    return { fields, body: Buffer.concat(chunks) };
  } finally {
    session.destroy();
  }
}

async function askHttp1(port: number, load: Load): Promise<Answer> {
  const options = { host: '127.0.0.1', port, path: load.path, method: 'POST', agent: false };
  const request = http.request({ ...options, headers: load.headers }).end(load.body);
  const [response]: http.IncomingMessage[] = await once(request, 'response');
  assert.ok(response !== undefined);
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  const fields = { ':status': response.statusCode, ...response.headers };
  return { fields, body: Buffer.concat(chunks) };
}
