import { brotliCompressSync, gzipSync } from 'node:zlib';
import { create, toJsonString } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import { frame } from '../../support/frames.ts';
import { EchoRequestSchema } from '../gen/echo_pb.js';
import {
  type Case,
  type Difference,
  isCalledAtOnce,
  isStream,
  maxMessageBytes,
  message,
  methods,
  noEncoding,
  one,
  own,
  type Request,
  raw,
  text,
  unreadable,
  unreadableProtobuf,
} from './case.ts';

const gzip = { 'grpc-encoding': 'gzip', 'grpc-accept-encoding': 'gzip' };
const json = { 'content-type': 'application/grpc+json' };
const jsonFrame = (it: string) => frame(Buffer.from(it));
const payload = (request: Request) => message({ count: 1, ...request }).subarray(5);

const encodings: Case[] = methods.flatMap((method) => [
  {
    name: `${method}: a compressed request`,
    call: raw(method, [frame(gzipSync(payload({ text: 'a'.repeat(5000) })), 1)], { 'grpc-encoding': 'gzip' }),
  },
  {
    name: `${method}: gzip announced, message as it is`,
    call: one(method, { text: 'plain' }, gzip),
    differs: isStream(method) ? undefined : noEncoding(0),
  },
  { name: `${method}: a compressed response`, call: one(method, { pad: 20_000, count: 3 }, gzip) },
  {
    name: `${method}: a response that is too small to compress`,
    call: one(method, { pad: 100 }, gzip),
    differs: isStream(method) ? undefined : noEncoding(0),
  },
  {
    name: `${method}: several encodings accepted`,
    call: one(method, { pad: 5000 }, { 'grpc-accept-encoding': 'br, gzip ,identity' }),
  },
  {
    name: `${method}: no known encoding accepted`,
    call: one(method, { pad: 5000 }, { 'grpc-accept-encoding': 'zstd' }),
  },
  { name: `${method}: identity`, call: one(method, { pad: 5000 }, { 'grpc-encoding': 'identity' }) },
  {
    name: `${method}: an unknown encoding`,
    call: raw(method, [frame(brotliCompressSync(payload({})), 1)], { 'grpc-encoding': 'br' }),
    differs: {
      why: `What could be refused at once is, and names what is taken (compression.md). ${text}`,
      parts: isCalledAtOnce(method) ? ['message', 'headers', 'observed'] : ['message', 'headers'],
      ourStatus: String(Code.Unimplemented),
    },
  },
  {
    name: `${method}: compressed without an encoding`,
    call: raw(method, [frame(gzipSync(payload({})), 1)]),
    differs: own(Code.Internal),
  },
  {
    name: `${method}: what is compressed is no gzip`,
    call: raw(method, [frame(Buffer.from('nonsense'), 1)], gzip),
    differs: { ...noEncoding(Code.InvalidArgument), parts: ['headers', 'message'] },
  },
  {
    name: `${method}: a message that grows beyond the limit`,
    call: raw(method, [frame(gzipSync(payload({ text: 'a'.repeat(maxMessageBytes) })), 1)], gzip),
    differs: { ...noEncoding(Code.ResourceExhausted), parts: ['headers', 'message'] },
  },
  {
    name: `${method}: JSON`,
    call: raw(
      method,
      [jsonFrame(toJsonString(EchoRequestSchema, create(EchoRequestSchema, { text: 'ü', count: 2 })))],
      json,
    ),
  },
  {
    name: `${method}: JSON with an unknown field`,
    call: raw(method, [jsonFrame('{"count":1,"new":true}')], json),
  },
  {
    name: `${method}: JSON that is none`,
    call: raw(method, [jsonFrame('{"count":')], json),
    differs: unreadable('stock quotes the request'),
  },
  {
    name: `${method}: JSON of another type`,
    call: raw(method, [jsonFrame('{"count":"many"}')], json),
    differs: unreadable('stock quotes the request'),
  },
  {
    name: `${method}: JSON, compressed`,
    call: raw(method, [frame(gzipSync('{"count":1,"pad":5000}'), 1)], { ...json, ...gzip }),
  },
]);

/** connect-node answers these with an HTTP status alone. */
const bareHttp = (why: string, ourStatus: string): Difference => ({
  why,
  parts: [
    'status',
    'headers',
    'http',
    ...(ourStatus === '0' ? (['messages', 'observed'] as const) : (['message'] as const)),
  ],
  ourStatus,
});
const parameters =
  'A content type may have parameters (RFC 9110 section 8.3): ours takes it, connect-node answers 415.';

const inWords: Difference = {
  why: 'A request that is no call is refused by the same status as stock, and in words: what would be taken.',
  parts: ['headers'],
  ourStatus: undefined,
};

const types: Case[] = [
  {
    name: 'content type application/grpc+proto',
    call: one('Unary', {}, { 'content-type': 'application/grpc+proto' }),
  },
  { name: 'content type in capitals', call: one('Unary', {}, { 'content-type': 'application/GRPC' }) },
  {
    name: 'content type with a parameter',
    call: one('Unary', {}, { 'content-type': 'application/grpc;charset=utf-8' }),
    differs: bareHttp(parameters, '0'),
  },
  {
    name: 'content type of JSON with a parameter',
    call: raw('Unary', [jsonFrame('{"count":1}')], { 'content-type': 'application/grpc+json; x=y' }),
    differs: bareHttp(parameters, '0'),
  },
  ...['application/grpc+thrift', 'application/grpcx', 'text/plain', 'application/json+grpc', ''].map(
    (type) => ({
      name: `content type ${type || 'empty'}`,
      call: one('Unary', {}, { 'content-type': type }),
      differs: inWords,
    }),
  ),
  { name: 'no te header', call: raw('Unary', [message({})], { te: undefined }) },
  ...['GET', 'PUT', 'OPTIONS'].map((method) => ({
    name: `HTTP method ${method}`,
    call: raw('Unary', [], {}, { method }),
    differs: inWords,
  })),
];

const framing: Case[] = methods.flatMap((method): Case[] => {
  const whole = message({ count: 1, text: 'whole' });
  const isSingle = method === 'Unary' || method === 'ServerStream';
  return [
    {
      name: `${method}: no message`,
      call: raw(method, []),
      differs: isSingle ? own(Code.Unimplemented) : undefined,
    },
    {
      name: `${method}: two messages`,
      call: raw(method, [whole, whole]),
      differs: isSingle ? own(Code.Unimplemented) : undefined,
    },
    {
      name: `${method}: two messages in one piece`,
      call: raw(method, [Buffer.concat([whole, whole])]),
      differs: isSingle ? own(Code.Unimplemented) : undefined,
    },
    {
      name: `${method}: a message byte by byte`,
      call: raw(
        method,
        Array.from(whole, (it) => Buffer.from([it])),
      ),
    },
    {
      name: `${method}: half a prefix`,
      call: raw(method, [whole.subarray(0, 3)]),
      differs: own(Code.InvalidArgument),
    },
    {
      name: `${method}: half a message`,
      call: raw(method, [whole.subarray(0, 8)]),
      differs: own(Code.InvalidArgument),
    },
    {
      name: `${method}: a message and a half`,
      call: raw(method, [whole, whole.subarray(0, 8)]),
      differs: own(Code.InvalidArgument),
    },
    {
      name: `${method}: flags that nobody knows`,
      call: raw(method, [frame(whole.subarray(5), 4)]),
      differs: {
        why: 'A flag that nobody knows may change what the message means: ours refuses it, stock skips it.',
        parts: ['status', 'message', 'messages', 'observed'],
        ourStatus: String(Code.InvalidArgument),
      },
    },
    {
      name: `${method}: no protobuf`,
      call: raw(method, [frame(Buffer.from([255, 255, 255]))]),
      differs: unreadableProtobuf(method),
    },
    {
      name: `${method}: a message at the limit`,
      call: one(method, { text: 'a'.repeat(maxMessageBytes - 6) }),
    },
    {
      name: `${method}: a message above the limit`,
      call: one(method, { text: 'a'.repeat(maxMessageBytes) }),
      differs: own(Code.ResourceExhausted),
    },
    {
      name: `${method}: a response above the limit`,
      call: one(method, { text: 'last', pad: maxMessageBytes }),
      differs: own(Code.ResourceExhausted),
    },
  ];
});

const unimplemented = String(Code.Unimplemented);
const paths: Case[] = [
  { name: 'a method without an implementation', call: raw('Missing', [message({})]) },
  ...[
    '/test.echo.v1.Echo/Nothing',
    '/test.echo.v1.Nobody/Unary',
    '/test.echo.v1.echo/unary',
    '/Unary',
    '/',
  ].map((path) => ({
    name: `path ${path}`,
    call: raw('', [message({})], {}, { path }),
    differs: bareHttp('gRPC has a status for unknown methods; connect-node answers 404.', unimplemented),
  })),
  {
    name: 'a path that goes on',
    call: raw('Unary/', [message({})]),
    differs: bareHttp('As for other unknown methods.', unimplemented),
  },
  {
    name: 'a path with a query',
    call: raw('Unary?a=b', [message({})]),
    differs: {
      why: 'gRPC paths are "/" service "/" method and nothing else; connect-node drops the query.',
      parts: ['status', 'message', 'messages', 'observed'],
      ourStatus: unimplemented,
    },
  },
];

/** What is on the wire: encodings, content types, frames, sizes and paths, good and bad. */
export const wireCases: readonly Case[] = [...encodings, ...types, ...framing, ...paths];
