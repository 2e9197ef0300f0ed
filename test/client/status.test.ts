// Proves that a status is told whatever is broken in what comes with it: details that are no Status, or one of another
// code, and a message that is not percent-encoded; in gRPC and gRPC-Web, in headers and in trailers, for unary calls
// and streams, and by the command.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { Code, encodeBinaryHeader } from '@connectrpc/connect';
import { createUsersClient, UsersError } from '../../client/client.ts';
import { StatusSchema } from '../../proto/gen/google/rpc/status_pb.js';
import { UsersCommand } from './command.ts';
import { startRawServer } from './server.ts';

type Trailers = Readonly<Record<string, string>>;

const taken = { 'grpc-status': '6', 'grpc-message': 'the username is taken' };
const broken: Readonly<Record<string, string>> = {
  'no base64': 'not base64!',
  'no Status': encodeBinaryHeader(new Uint8Array([0x0a, 0xff])),
  nothing: '',
  'a Status that says OK': encodeBinaryHeader(create(StatusSchema, { message: 'fine' }), StatusSchema),
};

/** Ends a call with the trailers, which are all of the answer, or follow headers. */
const endings: Readonly<Record<string, (stream: ServerHttp2Stream, trailers: Trailers) => void>> = {
  'gRPC, headers alone'(stream, trailers) {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...trailers }, { endStream: true });
  },
  'gRPC, trailers'(stream, trailers) {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers(trailers));
    stream.end();
  },
  'gRPC-Web, headers alone'(stream, trailers) {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc-web+proto', ...trailers });
    stream.end();
  },
  'gRPC-Web, trailers'(stream, trailers) {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc-web+proto' });
    stream.end(webTrailers(trailers));
  },
};

function webTrailers(trailers: Trailers): Buffer {
  const lines = Object.entries(trailers).map(([name, value]) => `${name}: ${value}\r\n`);
  const frame = Buffer.from(`\x80\0\0\0\0${lines.join('')}`, 'latin1');
  frame.writeUInt32BE(frame.length - 5, 1);
  return frame;
}

async function failureOf(call: Promise<unknown>): Promise<UsersError> {
  const error = await call.catch((reason: unknown) => reason);
  assert.ok(error instanceof UsersError, String(error));
  return error;
}

for (const [how, end] of Object.entries(endings)) {
  for (const [what, details] of Object.entries(broken)) {
    test(`${how}: details that are ${what} do not hide the status`, async () => {
      await using server = await startRawServer((stream) =>
        end(stream, { ...taken, 'grpc-status-details-bin': details, 'x-request-id': 'r1' }),
      );
      const protocol = how.startsWith('gRPC-Web') ? 'grpc-web' : 'grpc';
      using client = createUsersClient({ endpoint: server.endpoint, protocol });
      const getUsers = async () => {
        for await (const _ of client.getUsers({}));
      };
      for (const call of [() => client.createUser({ username: 'tom' }), getUsers]) {
        const error = await failureOf(call());
        assert.deepEqual([error.code, error.rawMessage], [Code.AlreadyExists, 'the username is taken']);
        assert.deepEqual([error.details, error.requestId, error.isWireError], [[], 'r1', true]);
      }
    });
  }

  test(`${how}: a message that is not percent-encoded is told as it came`, async () => {
    await using server = await startRawServer((stream) =>
      end(stream, { 'grpc-status': '8', 'grpc-message': '100% of %zz' }),
    );
    const protocol = how.startsWith('gRPC-Web') ? 'grpc-web' : 'grpc';
    using client = createUsersClient({ endpoint: server.endpoint, protocol });
    const error = await failureOf(client.createUser({ username: 'tom' }));
    assert.deepEqual([error.code, error.rawMessage], [Code.ResourceExhausted, '100% of %zz']);
  });
}

test('gRPC-Web over HTTP/1.1 likewise', async () => {
  const server = http.createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'application/grpc-web+proto' });
    response.end(webTrailers({ ...taken, 'grpc-status-details-bin': 'not base64!' }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A server on a port, not on a pipe, has an address with a port.
  const { port } = server.address() as AddressInfo;
  const way = { protocol: 'grpc-web', httpVersion: '1.1' } as const;
  const client = createUsersClient({ endpoint: `http://127.0.0.1:${port}`, ...way });
  const error = await failureOf(client.createUser({ username: 'tom' }));
  client.close();
  server.close();
  assert.equal(error.code, Code.AlreadyExists);
});

test('the command tells the status, and ends with its code', async () => {
  await using server = await startRawServer((stream) => {
    const trailers = { ...taken, 'grpc-status-details-bin': 'not base64!' };
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...trailers }, { endStream: true });
  });
  using users = new UsersCommand(server.endpoint);
  assert.deepEqual(await users.run(['create', 'tom']), {
    out: '',
    err: 'ALREADY_EXISTS: the username is taken\n',
    code: 6,
  });
});
