import { gzipSync } from 'node:zlib';
import { create, toBinary } from '@bufbuild/protobuf';
import { GetUsersRequestSchema } from '../../proto/gen/users_types_pb.js';
import type { AttackRequest } from './attack.ts';

/** A way to ask for users: the protocol with its format. */
export type Way =
  | 'grpc'
  | 'grpc+json'
  | 'grpc-web'
  | 'grpc-web+json'
  | 'grpc-web-text'
  | 'connect'
  | 'connect+json';

/** How a message is sent. */
export interface Sending {
  readonly way: Way;
  /** Default: as it is. */
  readonly isCompressed?: boolean;
  /** Infinity for none, which watches and reflection calls may have. Default: the longest that is granted. */
  readonly timeoutMs?: number;
}

/** The most users that one request may ask for. */
export const maxUsers = 10_000;
/** A request of 1 MiB, the most that one may have after decompression, is so many users without a name and an id. */
export const usersOfOneMiB = { protobuf: 2 ** 19, json: Math.floor((2 ** 20 - 11) / 3) };
/** The longest deadline that is granted. */
const maxTimeoutMs = 300_000;

const contentTypes = {
  grpc: 'application/grpc+proto',
  'grpc+json': 'application/grpc+json',
  'grpc-web': 'application/grpc-web+proto',
  'grpc-web+json': 'application/grpc-web+json',
  'grpc-web-text': 'application/grpc-web-text+proto',
  connect: 'application/connect+proto',
  'connect+json': 'application/connect+json',
} as const satisfies Record<Way, string>;

/** Whether its messages are JSON. */
export function isJson(way: Way): boolean {
  return way.endsWith('json');
}

/** A request for users who have no name and no id: two bytes each, or three in JSON. */
export function getUsers(count: number, sending: Sending): AttackRequest {
  const message = isJson(sending.way)
    ? Buffer.from(`{"user":[${Array(count).fill('{}').join(',')}]}`)
    : Buffer.alloc(2 * count, Buffer.of(0x0a, 0x00));
  return call('/Users/GetUsers', message, sending);
}

/** A request for one user, by name. */
export function getUser(username: string, sending: Sending): AttackRequest {
  const message = isJson(sending.way)
    ? Buffer.from(JSON.stringify({ user: [{ username }] }))
    : toBinary(GetUsersRequestSchema, create(GetUsersRequestSchema, { user: [{ username }] }));
  return call('/Users/GetUsers', message, sending);
}

/** A request for as many of them as a message of 1 MiB holds. */
export function getOneMiBOfUsers(sending: Sending): AttackRequest {
  return getUsers(isJson(sending.way) ? usersOfOneMiB.json : usersOfOneMiB.protobuf, sending);
}

/** A call with its one message, in whichever way. */
export function call(
  path: string,
  message: Uint8Array,
  { way, isCompressed, timeoutMs }: Sending,
): AttackRequest {
  const isConnect = way.startsWith('connect');
  const frame = framed(message, isCompressed ?? false);
  return {
    method: 'POST',
    path,
    headers: {
      'content-type': contentTypes[way],
      ...(way.startsWith('grpc') && !way.startsWith('grpc-web') ? { te: 'trailers' } : {}),
      ...(isCompressed ? { [isConnect ? 'connect-content-encoding' : 'grpc-encoding']: 'gzip' } : {}),
      ...deadline(isConnect, timeoutMs ?? maxTimeoutMs),
    },
    body: way === 'grpc-web-text' ? Buffer.from(frame.toString('base64')) : frame,
  };
}

/** A unary call of Connect, whose message is the body as it is. */
export function connectUnary(
  path: string,
  message: Uint8Array,
  {
    format,
    isCompressed = false,
    timeoutMs = maxTimeoutMs,
  }: Omit<Sending, 'way'> & { readonly format: 'json' | 'proto' },
): AttackRequest {
  return {
    method: 'POST',
    path,
    headers: {
      'content-type': `application/${format}`,
      ...(isCompressed ? { 'content-encoding': 'gzip' } : {}),
      ...deadline(true, timeoutMs),
    },
    body: isCompressed ? gzipSync(message, { level: 9 }) : message,
  };
}

/** A request without a body. */
export function get(path: string, headers: AttackRequest['headers'] = {}): AttackRequest {
  return { method: 'GET', path, headers, body: new Uint8Array() };
}

function deadline(isConnect: boolean, timeoutMs: number): Record<string, string> {
  if (timeoutMs === Number.POSITIVE_INFINITY) return {};
  return isConnect ? { 'connect-timeout-ms': String(timeoutMs) } : { 'grpc-timeout': `${timeoutMs}m` };
}

function framed(message: Uint8Array, isCompressed: boolean): Buffer {
  const payload = isCompressed ? gzipSync(message, { level: 9 }) : message;
  const prefix = Buffer.alloc(5);
  prefix[0] = isCompressed ? 1 : 0;
  prefix.writeUInt32BE(payload.length, 1);
  return Buffer.concat([prefix, payload]);
}
