// The practical limit: what node:http2 and protobuf cost when nothing else is done. It serves these two methods
// to well-behaved clients and no more: no deadlines, errors, limits, compression, metadata or other protocols. With
// TLS_CERT_FILE and TLS_KEY_FILE it speaks TLS.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http2, { type ServerHttp2Stream } from 'node:http2';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  CreateUserRequestSchema,
  CreateUserResultSchema,
  GetUsersRequestSchema,
  GetUsersResultSchema,
} from '../../proto/gen/users_types_pb.js';
import { createUser, getUsers } from './answers.ts';

const prefixBytes = 5;
const maxWriteBytes = 64 * 1024;
const headers = { ':status': 200, 'content-type': 'application/grpc' };
const trailers = { 'grpc-status': '0' };
const options = { waitForTrailers: true, sendDate: false };

const { TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile } = process.env;
const server =
  certFile && keyFile
    ? http2.createSecureServer({ cert: readFileSync(certFile), key: readFileSync(keyFile) })
    : http2.createServer();
server.on('stream', (stream, { ':path': path }) => {
  let request: Buffer | undefined;
  stream.on('data', (chunk: Buffer) => {
    request = request === undefined ? chunk : Buffer.concat([request, chunk]);
  });
  stream.on('end', () => {
    if (request === undefined) return;
    stream.respond(headers, options);
    stream.on('wantTrailers', () => stream.sendTrailers(trailers));
    const message = request.subarray(prefixBytes);
    if (path === '/Users/CreateUser') respondSingle(stream, message);
    else respondMany(stream, message);
  });
  stream.on('error', () => {});
});
server.listen(Number(process.env.PORT), '127.0.0.1');

function respondSingle(stream: ServerHttp2Stream, message: Buffer): void {
  const result = createUser(fromBinary(CreateUserRequestSchema, message));
  stream.end(frame(toBinary(CreateUserResultSchema, result)));
}

async function respondMany(stream: ServerHttp2Stream, message: Buffer): Promise<void> {
  let frames: Buffer[] = [];
  let bytes = 0;
  for (const result of getUsers(fromBinary(GetUsersRequestSchema, message))) {
    const one = frame(toBinary(GetUsersResultSchema, result));
    frames.push(one);
    bytes += one.length;
    if (bytes < maxWriteBytes) continue;
    if (!stream.write(Buffer.concat(frames, bytes))) await once(stream, 'drain');
    frames = [];
    bytes = 0;
  }
  stream.end(Buffer.concat(frames, bytes));
}

function frame(message: Uint8Array): Buffer {
  const result = Buffer.allocUnsafe(prefixBytes + message.length);
  result[0] = 0;
  result.writeUInt32BE(message.length, 1);
  result.set(message, prefixBytes);
  return result;
}
