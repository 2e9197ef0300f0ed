import { Buffer } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import { create, toBinary } from '@bufbuild/protobuf';
import { CreateUserRequestSchema, GetUsersRequestSchema } from '../../../proto/gen/users_types_pb.js';

/** Users who are there, of whom each look-up asks for some at random. */
export const population = 10_000;
/** Look-ups that differ: enough that those under way at once ask for others. */
const differentLookUps = 4_000;

/** The name of one of the population; all of them are as long. */
export const nameOf = (place: number): string => `user${String(place).padStart(6, '0')}`;

/** Bodies of GetUsers of so many users, to be taken in turns. */
export function lookUps(users: number, calls: number): Buffer[] {
  return Array.from({ length: Math.min(calls, differentLookUps) }, () => {
    const first = Math.floor(Math.random() * population);
    const user = Array.from({ length: users }, (_, at) => ({
      // A prime apart: no two of them are one.
      username: nameOf((first + at * 97) % population),
    }));
    return framed(toBinary(GetUsersRequestSchema, create(GetUsersRequestSchema, { user })));
  });
}

/** Bodies of CreateUser of the population. */
export const firstSignUps = (): Buffer[] =>
  Array.from({ length: population }, (_, place) => signUp(nameOf(place)));

const run = randomUUID().slice(0, 8);
let signedUp = 0;

/** Bodies of CreateUser of people who were never there, with an address and a request id, as the client sends it. */
export function newSignUps(calls: number): Buffer[] {
  return Array.from({ length: calls }, () => {
    signedUp += 1;
    // Names begin with all letters: an index of names has a part for each.
    const initial = String.fromCharCode('a'.charCodeAt(0) + (signedUp % 26));
    return signUp(`${initial}${run}-${signedUp}`);
  });
}

function signUp(username: string): Buffer {
  const request = { username, email: `${username}@example.com`, requestId: randomUUID() };
  return framed(toBinary(CreateUserRequestSchema, create(CreateUserRequestSchema, request)));
}

function framed(message: Uint8Array): Buffer {
  const result = Buffer.alloc(5 + message.length);
  result.writeUInt32BE(message.length, 1);
  result.set(message, 5);
  return result;
}
