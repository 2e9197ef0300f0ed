import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { create, toBinary } from '@bufbuild/protobuf';
import { GetUsersRequestSchema } from '../../proto/gen/users_types_pb.js';
import { type Figure, figureOf } from '../figure.ts';
import type { Effort } from '../measure.ts';
import { type Running, start } from '../process.ts';
import type { Subject } from '../subjects.ts';
import { fill, nameOf, sizes } from './sqlite-population.ts';

/** What GetUsers costs a server with so many users in SQLite. */
export interface SizeRow {
  readonly subject: Subject;
  readonly users: number;
  readonly fileMiB: number;
  /** CPU time of the server for a call of 100 users, in µs: of the same 100 each time, and of any. */
  readonly sameMicros: Figure;
  readonly anyMicros: Figure;
  /** For how long at most one turn of the event loop lasts, in ms, while four calls ask for 10,000 users each. */
  readonly heldMs: Figure;
}

const usersAsked = 100;
const manyUsers = 10_000;
const connections = 2;
const streams = 4;
/** Calls that differ. */
const bodies = 1_000;

/**
 * Measures each server with each number of users, all in turns.
 *
 * @param subjects servers in Node that keep users in SQLite, such as ours as shipped with `USERS_STORE=sqlite`
 * @throws Error when a call is not answered as it must be
 */
export async function measureSqliteSizes(subjects: readonly Subject[], effort: Effort): Promise<SizeRow[]> {
  const { folder, say, rounds, isQuick } = effort;
  const cases: Case[] = [];
  try {
    for (const subject of subjects) {
      for (const users of isQuick ? sizes.slice(0, 2) : sizes) {
        say(`${subject.title}: ${users.toLocaleString('en')} users in SQLite`);
        cases.push(await open(subject, users, folder));
      }
    }
    for (let round = -1; round < rounds; round += 1) {
      for (const it of cases) await takeTurn(it, effort, round >= 0);
    }
    return cases.map(({ subject, users, fileMiB, same, any, held }) => ({
      ...{ subject, users, fileMiB },
      ...{ sameMicros: figureOf(same), anyMicros: figureOf(any), heldMs: figureOf(held) },
    }));
  } finally {
    for (const { server } of cases) await server.stop();
  }
}

interface Case {
  readonly subject: Subject;
  readonly users: number;
  readonly fileMiB: number;
  readonly server: Running;
  /** What `loop-holds.ts` writes. */
  readonly holds: string;
  readonly same: number[];
  readonly any: number[];
  readonly held: number[];
}

async function open(subject: Subject, users: number, folder: string): Promise<Case> {
  const key = `${subject.key} ${users}`;
  const data = join(folder, `sizes ${key}`);
  const holds = join(data, 'holds');
  mkdirSync(data);
  const fileMiB = fill(join(data, 'users.sqlite'), users) / 2 ** 20;
  const [node = '', ...args] = subject.command;
  const watch = fileURLToPath(new URL('loop-holds.ts', import.meta.url));
  // `start` gives each server a new folder: `env` has the last word.
  const command = ['env', `USERS_DATA=${data}`, node, '--import', watch, ...args];
  const env = { ...subject.env, LOOP_HOLDS: holds };
  const server = await start({ ...subject, key, command, env }, folder);
  return { subject, users, fileMiB, server, holds, same: [], any: [], held: [] };
}

async function takeTurn(it: Case, { seconds, isQuick }: Effort, counts: boolean): Promise<void> {
  const anybody = () => Math.floor(Math.random() * it.users);
  const some = requestOf(Array.from({ length: usersAsked }, anybody));
  const any = Array.from({ length: isQuick ? 10 : bodies }, () =>
    requestOf(Array.from({ length: usersAsked }, anybody)),
  );
  const many = requestOf(Array.from({ length: manyUsers }, anybody));
  const cpuOf = async (requests: readonly Buffer[]) => {
    const before = it.server.cpuMicros();
    const calls = await callFor(it.server, requests, connections, streams, seconds);
    return (it.server.cpuMicros() - before) / calls;
  };
  const same = await cpuOf([some]);
  const different = await cpuOf(any);
  writeFileSync(it.holds, '');
  await callFor(it.server, [many], 4, 1, seconds);
  const held = readFileSync(it.holds, 'utf8').split('\n').map(Number);
  it.server.forgetOutput();
  if (!counts) return;
  it.same.push(same);
  it.any.push(different);
  it.held.push(Math.max(...held));
}

function requestOf(places: readonly number[]): Buffer {
  const user = places.map((place) => ({ username: nameOf(place) }));
  const message = toBinary(GetUsersRequestSchema, create(GetUsersRequestSchema, { user }));
  const request = Buffer.alloc(5 + message.length);
  request.writeUInt32BE(message.length, 1);
  request.set(message, 5);
  return request;
}

/** Makes calls for a while, so many at a time. Returns how many. */
async function callFor(
  { port }: Running,
  requests: readonly Buffer[],
  sessions: number,
  perSession: number,
  seconds: number,
): Promise<number> {
  const endMs = performance.now() + seconds * 1000;
  let calls = 0;
  const opened = Array.from({ length: sessions }, () => http2.connect(`http://127.0.0.1:${port}`));
  const one = async (session: http2.ClientHttp2Session) => {
    while (performance.now() < endMs) {
      await call(session, requests[calls % requests.length] ?? Buffer.alloc(0));
      calls += 1;
    }
  };
  try {
    await Promise.all(opened.flatMap((session) => Array.from({ length: perSession }, () => one(session))));
    return calls;
  } finally {
    for (const session of opened) session.destroy();
  }
}

const headers = {
  ':method': 'POST',
  ':path': '/Users/GetUsers',
  'content-type': 'application/grpc',
  te: 'trailers',
};

async function call(session: http2.ClientHttp2Session, request: Buffer): Promise<void> {
  const stream = session.request(headers);
  let status: unknown;
  stream.on('trailers', (trailers) => {
    status = trailers['grpc-status'];
  });
  stream.resume().end(request);
  await once(stream, 'close');
  if (status !== '0') throw new Error(`a call of GetUsers ended with the status ${status}`);
}
