import { create, toBinary, toJsonString } from '@bufbuild/protobuf';
import { CreateUserRequestSchema, GetUsersRequestSchema } from '../proto/gen/users_types_pb.js';

/** One kind of call, and how many of them are made at a time. */
export interface Load {
  readonly key: string;
  /** As the tables call it. */
  readonly title: string;
  readonly path: '/Users/CreateUser' | '/Users/GetUsers';
  /** The request as its protocol writes it. */
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
  /** Messages that answer a call: costs are given for one of them. */
  readonly messages: number;
  /** The gRPC status that it is refused with, without a message. Default: it is answered. */
  readonly refusedAs?: number;
  readonly connections: number;
  /** On each connection. */
  readonly streams: number;
  /** Whether it comes over HTTP/1.1, with keep-alive. Default: HTTP/2. */
  readonly isHttp1?: boolean;
  /** How many times the rounds of other loads: a p99 takes more calls than a mean. Default: 1. */
  readonly timesRounds?: number;
  /** Servers that are not under it, for the sake of time: other loads have told enough about them. */
  readonly leftOut?: readonly string[];
}

/** Users that every server knows before it is timed. */
export const knownUsers = Array.from({ length: 100 }, (_, index) => `user${String(index).padStart(3, '0')}`);

const grpc = { 'content-type': 'application/grpc', te: 'trailers', 'user-agent': 'grpc-go/1.85.0' };

/** What an Application Load Balancer adds to a call. */
const fromBalancer = {
  'x-forwarded-for': '203.0.113.7',
  'x-forwarded-proto': 'https',
  'x-forwarded-port': '443',
  'x-amzn-trace-id': 'Root=1-65f0c5a1-0123456789abcdef01234567',
};

/** The same body each time: with its request_id every call but the first is a repeat, which gets the first answer. */
const signUp = create(CreateUserRequestSchema, {
  username: 'alexa',
  email: 'alexa@example.com',
  requestId: '9f0e3b1c-6f0b-4c55-8f4a-2d7c3c1a5b9e',
});
const signUpBytes = toBinary(CreateUserRequestSchema, signUp);

function unary(key: string, title: string, connections: number, streams: number, more = {}): Load {
  const headers = { ...grpc, ...more };
  const body = frame(signUpBytes);
  return { key, title, path: '/Users/CreateUser', body, headers, messages: 1, connections, streams };
}

/** A unary call over HTTP/2 and over HTTP/1.1, where a connection carries one at a time. */
function overBoth(key: string, title: string, body: Buffer, headers: Load['headers']): readonly Load[] {
  const load = { path: '/Users/CreateUser', body, headers, messages: 1, connections: 8 } as const;
  return [
    { ...load, key, title: `${title}, HTTP/2`, streams: 32 },
    { ...load, key: `${key} http1`, title: `${title}, HTTP/1.1`, streams: 1, isHttp1: true },
  ];
}

function stream(users: number, connections: number, streams: number): Load {
  const user = Array.from({ length: users }, (_, index) => ({
    username: knownUsers[index % knownUsers.length] ?? '',
  }));
  return {
    key: `stream ${users}`,
    title: `streams of ${users.toLocaleString('en')} ${users === 1 ? 'user' : 'users'}`,
    path: '/Users/GetUsers',
    body: frame(toBinary(GetUsersRequestSchema, create(GetUsersRequestSchema, { user }))),
    headers: grpc,
    messages: users,
    connections,
    streams,
  };
}

/** Many at a time, some, and one: connections × streams on each. */
export const unaryLoads = [
  unary('8x32', 'unary, 8 × 32', 8, 32),
  unary('4x4', 'unary, 4 × 4', 4, 4),
  { ...unary('1x1', 'unary, 1 × 1', 1, 1), timesRounds: 4 },
  {
    ...unary('timeout', 'unary, 8 × 32, with grpc-timeout', 8, 32, { 'grpc-timeout': '10S' }),
    leftOut: ['connect-node', 'grpcio'],
  },
  {
    ...unary('balancer', "unary, 8 × 32, with a load balancer's headers", 8, 32, fromBalancer),
    leftOut: ['connect-node', 'grpcio'],
  },
] as const;

/** The same over TLS. The handshakes are in them: eight at most, to thousands of calls. */
export const tlsLoads: readonly Load[] = unaryLoads.slice(0, 3).map((it) => ({
  ...it,
  key: `tls ${it.key}`,
  title: `${it.title}, over TLS`,
}));

export const streamLoads = [stream(1, 8, 32), stream(100, 8, 8), stream(10_000, 4, 1)] as const;

/** Much for the server, and little for the load. */
export const workerLoads = [stream(100, 64, 1), stream(1_000, 64, 1)] as const;

const web = { 'content-type': 'application/grpc-web+proto', 'x-grpc-web': '1' };
const connect = { 'connect-protocol-version': '1', 'user-agent': 'connect-es/2.2.0' };
const connectProto = { ...connect, 'content-type': 'application/proto' };
const connectJson = { ...connect, 'content-type': 'application/json' };

/** The same call in each protocol. */
export const protocolLoads: readonly Load[] = [
  unary('grpc', 'gRPC, HTTP/2', 8, 32),
  ...overBoth('grpc-web', 'gRPC-Web', frame(signUpBytes), web),
  ...overBoth('connect proto', 'Connect, proto', Buffer.from(signUpBytes), connectProto),
  ...overBoth(
    'connect json',
    'Connect, JSON',
    Buffer.from(toJsonString(CreateUserRequestSchema, signUp)),
    connectJson,
  ),
];

/** For the cost of policies that the request decides. */
export const policyLoads = {
  plain: unary('plain', 'plain', 8, 32),
  requestId: unary('request id', 'request id', 8, 32, { 'x-request-id': 'b1946ac92492d234' }),
  timeout: unary('timeout', 'timeout', 8, 32, { 'x-request-id': 'b1946ac92492d234', 'grpc-timeout': '10S' }),
} as const;

function frame(message: Uint8Array): Buffer {
  const result = Buffer.alloc(5 + message.length);
  result.writeUInt32BE(message.length, 1);
  result.set(message, 5);
  return result;
}
