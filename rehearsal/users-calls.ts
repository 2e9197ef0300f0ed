import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import https from 'node:https';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { Code, ConnectError } from '@connectrpc/connect';
import { createUsersClient, type UsersClient, type UsersClientOptions } from '../client/client.ts';
import { withAttempts } from './attempts.ts';
import type { Endpoint } from './endpoint.ts';
import type { CallKind } from './load.ts';

/** The users whose sign-up was acknowledged, for calls to ask for, and to look for in the end. */
export interface Acknowledged {
  readonly names: string[];
  /** A name that no other call uses. */
  next(): string;
}

/** Users that one call asks for, and how long a slow reader thinks about each. */
const askedUsers = 5;
const streamedUsers = 60;
const thinkMs = 40;
/** As long as the client of the other calls waits. */
const deadlineMs = 30_000;

/** Every kind of call that a client can make: protocols, HTTP versions, unary and streaming, quick and slow. */
export function everyKindOfCall(
  endpoint: Endpoint,
  acknowledged: Acknowledged,
  maxAttempts: number,
): CallKind[] {
  const { kind, signUp, look, health } = callMakers(endpoint, acknowledged, maxAttempts);
  return [
    kind('gRPC CreateUser', {}, signUp()),
    kind('gRPC CreateUser with a password', {}, signUp('correct horse battery')),
    kind('gRPC GetUsers', {}, look(askedUsers, 0)),
    kind('gRPC GetUsers, slow reader', {}, look(streamedUsers, thinkMs)),
    kind('gRPC health check', {}, health),
    kind('gRPC-Web CreateUser, HTTP/2', { protocol: 'grpc-web' }, signUp()),
    kind('gRPC-Web GetUsers, HTTP/1.1', { protocol: 'grpc-web', httpVersion: '1.1' }, look(askedUsers, 0)),
    kind('Connect CreateUser, HTTP/1.1', { protocol: 'connect', httpVersion: '1.1' }, signUp()),
    kind('Connect GetUsers, HTTP/2', { protocol: 'connect' }, look(askedUsers, 0)),
    kind('Connect GetUsers, slow reader', { protocol: 'connect' }, look(streamedUsers, thinkMs)),
    webPage(endpoint, acknowledged, maxAttempts),
  ];
}

/** Every kind of call that reaches a function, in front of which nothing speaks HTTP/2. */
export function callsOverHttp1(
  endpoint: Endpoint,
  acknowledged: Acknowledged,
  maxAttempts: number,
): CallKind[] {
  const { kind, signUp, look, health } = callMakers(endpoint, acknowledged, maxAttempts);
  const connect = { protocol: 'connect', httpVersion: '1.1' } as const;
  const web = { protocol: 'grpc-web', httpVersion: '1.1' } as const;
  return [
    kind('Connect CreateUser', connect, signUp()),
    kind('Connect CreateUser with a password', connect, signUp('correct horse battery')),
    kind('Connect GetUsers', connect, look(askedUsers, 0)),
    kind('Connect GetUsers, slow reader', connect, look(streamedUsers, thinkMs)),
    kind('Connect health check', connect, health),
    kind('gRPC-Web CreateUser', web, signUp()),
    kind('gRPC-Web GetUsers', web, look(askedUsers, 0)),
    kind('gRPC-Web GetUsers, slow reader', web, look(streamedUsers, thinkMs)),
    webPage(endpoint, acknowledged, maxAttempts),
  ];
}

/** What calls are made of: clients, and what is called. */
function callMakers(endpoint: Endpoint, acknowledged: Acknowledged, maxAttempts: number) {
  const options = {
    endpoint: endpoint.url,
    serverName: endpoint.serverName,
    tls: { ca: endpoint.ca },
    token: endpoint.token,
    // While one of two tasks is gone half of the calls fail, and a client would stop to retry (gRFC A6). What is to be
    // seen is whether retries help.
    retry: { maxAttempts, maxTokens: 0 },
  };
  const kind = (
    name: string,
    more: Pick<UsersClientOptions, 'protocol' | 'httpVersion'>,
    call: (client: UsersClient) => Promise<void>,
  ): CallKind => {
    const client = createUsersClient({ ...options, ...more });
    return { name, call: () => call(client), [Symbol.dispose]: () => client.close() };
  };
  const signUp = (password?: string) => async (client: UsersClient) => {
    const username = acknowledged.next();
    const { user } = await client.createUser({ username, password });
    assert.equal(user?.username, username);
    acknowledged.names.push(username);
  };
  const look = (count: number, pauseMs: number) => async (client: UsersClient) => {
    const wanted = pick(acknowledged.names, count);
    const found: string[] = [];
    for await (const { result } of client.getUsers({ user: wanted.map((username) => ({ username })) })) {
      found.push(result.case === 'user' ? result.value.username : `missing ${result.value?.username}`);
      if (pauseMs > 0) await sleep(pauseMs);
    }
    assert.deepEqual(found, wanted);
  };
  const health = async (client: UsersClient) => {
    // A task that is about to end says so to whom still asks it.
    assert.match(await client.health('Users'), /^(NOT_)?SERVING$/);
  };
  return { kind, signUp, look, health };
}

/** `GET /users/`: a line of JSON for each user. No client of ours: its retries are made here. */
function webPage(endpoint: Endpoint, { names }: Acknowledged, maxAttempts: number): CallKind {
  const agent = new https.Agent({ keepAlive: true, ca: endpoint.ca, servername: endpoint.serverName });
  const get = async () => {
    const wanted = pick(names, askedUsers);
    const url = new URL('/users/', endpoint.url);
    for (const username of wanted) url.searchParams.append('username', username);
    const { status, body } = await fetchText(url, agent, endpoint).catch((cause) => {
      const code = cause.name === 'AbortError' ? Code.DeadlineExceeded : Code.Unavailable;
      throw new ConnectError(`no answer: ${cause.message}`, code, undefined, undefined, cause);
    });
    // What a load balancer says of a task that it does not reach, or AWS Lambda of a function that does not start.
    if ([502, 503, 504].includes(status)) throw new ConnectError(`HTTP ${status}`, Code.Unavailable);
    assert.equal(status, 200, body);
    const lines = body.trim().split('\n');
    assert.equal(lines.length, wanted.length, body);
    for (const [index, username] of wanted.entries()) assert.match(lines[index] ?? '', RegExp(username));
  };
  return {
    name: 'GET /users/, HTTP/1.1',
    call: () => withAttempts(get, maxAttempts),
    [Symbol.dispose]: () => agent.destroy(),
  };
}

async function fetchText(
  url: URL,
  agent: https.Agent,
  { serverName, token }: Endpoint,
): Promise<{ status: number; body: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  // A function is found by its name, whatever the address.
  const headers = {
    ...(serverName !== undefined && { host: serverName }),
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
  };
  const signal = AbortSignal.timeout(deadlineMs);
  https.get(url, { agent, headers, signal }, resolve).on('error', reject);
  const response = await promise;
  return { status: response.statusCode ?? 0, body: await text(response) };
}

function pick(names: readonly string[], count: number): string[] {
  return Array.from({ length: count }, () => {
    const name = names[Math.floor(Math.random() * names.length)];
    assert(name, 'a user must be there before any is asked for');
    return name;
  });
}
