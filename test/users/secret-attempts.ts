import { randomBytes } from 'node:crypto';
import { frame } from '../support/frames.ts';
import type { RawRequest } from '../support/raw-request.ts';

/** In every secret of these attempts; letters and digits alone, which no encoding of text changes. */
export const mark = `marked${randomBytes(8).toString('hex')}`;
/** A key that the server knows. */
export const key = `${mark}key${'x'.repeat(20)}`;
/** The parts that base64 has of it, wherever it begins. */
export const inBase64 = [0, 1, 2].map((shift) =>
  Buffer.from(' '.repeat(shift) + mark)
    .toString('base64')
    .slice(shift === 0 ? 0 : 4, 16),
);

/** Text of less than 128 bytes after its length. */
function sized(text: string): string {
  return String.fromCharCode(text.length) + text;
}

/** A request that has a secret somewhere. */
export interface Attempt extends RawRequest {
  readonly body?: string | Buffer;
}

const json = { 'content-type': 'application/json' };
const grpc = { 'content-type': 'application/grpc', te: 'trailers' };
const web = { 'content-type': 'application/grpc-web+proto' };
const streamed = { 'content-type': 'application/connect+json' };
const sign = '/Users/CreateUser';
const get = '/Users/GetUsers';
/** The other methods, which find a user by a key. */
const keyed = ['CheckPassword', 'GetAccount', 'UpdateUser', 'DeleteUser'].map((it) => `/Users/${it}`);
const list = '/Users/ListUsers';

/** Bodies of JSON that are wrong in all ways, at a place where a secret is. */
const brokenJson = [
  `{"username":"${mark}`,
  `{"username":${mark}}`,
  `${mark}`,
  `{"${mark}":1}`,
  `{"username":{"${mark}":"${mark}"}}`,
  `{"username":["${mark}"]}`,
  `{"username":"a","password":"${mark}"`,
  `{"username":"a","password":"${mark}","password":"${mark}"}`,
  `{"username":"${mark} !","email":"${mark} @","password":"${mark}"}`,
  `{"username":"a","password":"${mark.repeat(20)}"}`,
  `{"username":"a","requestId":"${mark}"}`,
  `{"username":"a","password":"${mark}\\ud800"}`,
];
const brokenUsers = [`{"user":[{"userId":"${mark}"}]}`, `{"user":"${mark}"}`, `{"user":[{"${mark}":1}]}`];

/** The same for the methods that have a key. */
const keyedJson = [
  ...['username', 'email'].flatMap((kind) => [
    `{"key":{"${kind}":"${mark}"},"password":"${mark}","email":"${mark}@example.com","etag":"${mark}"}`,
    `{"key":{"${kind}":"${mark} @"},"password":"${mark}"}`,
    `{"key":{"${kind}":["${mark}"]},"password":"${mark}"}`,
  ]),
  `{"key":{"userId":"${mark}"}}`,
  `{"key":{"${mark}":1}}`,
  `{"key":"${mark}","password":"${mark}"`,
  `{"password":"${mark}","etag":"${mark}"}`,
  `{"key":{"username":"tom"},"password":"${mark}","etag":"${mark}"}`,
  `{"key":{"username":"tom"},"password":"${mark.repeat(20)}","email":"${mark} @"}`,
  `{"key":{"username":"tom"},"password":"${mark}","updateMask":"${mark}"}`,
  `{"key":{"username":"tom"},"password":"${mark}","updateMask":"password","requestId":"${mark}"}`,
  `{"key":{"username":"tom"},"email":"${mark}@example.com","requestId":"${mark}"}`,
];
const listJson = [
  `{"pageToken":"${mark}"}`,
  `{"usernamePrefix":"${mark}"}`,
  `{"usernamePrefix":"${mark} "}`,
  `{"pageToken":"${Buffer.from(`${mark}:${mark}`).toString('base64url')}"}`,
];

/** A key with an address, and a password, in bytes of protobuf. */
const keyAndPassword = Buffer.concat(
  [`\n${sized(`\x1a${sized(`${mark}@x`)}`)}`, `\x12${sized(mark)}`].map((it) => Buffer.from(it)),
);

const strange = {
  'x-api-key': mark,
  cookie: `sid=${mark}`,
  'x-secret-bin': Buffer.from(mark).toString('base64'),
};

/** Requests with secrets at every place, well and wrongly. */
export const attempts: Attempt[] = [
  ...[sign, get, ...keyed, list, '/users/', '/healthz', '/nothing', '/grpc.health.v1.Health/Check'].flatMap(
    (path) =>
      [json, grpc, web, streamed].flatMap((headers) => [
        { path, headers: { ...headers, ...strange } },
        { path, headers: { ...headers, authorization: mark } },
        { path, headers: { ...headers, authorization: `Bearer ${mark}` } },
        { path, headers: { ...headers, authorization: `Basic ${Buffer.from(mark).toString('base64')}` } },
      ]),
  ),
  ...brokenJson.map((body) => ({ path: sign, headers: json, body })),
  ...[...brokenJson, ...brokenUsers].map((body) => ({
    path: get,
    headers: streamed,
    body: frame(Buffer.from(body)),
  })),
  ...keyed.flatMap((path) => keyedJson.map((body) => ({ path, headers: json, body }))),
  ...listJson.map((body) => ({ path: list, headers: json, body })),
  ...[...keyed, list].flatMap((path) =>
    [grpc, web].flatMap((headers) => [
      { path, headers, body: frame(Buffer.from(`\n${mark}`)) },
      { path, headers, body: frame(Buffer.from(`\x12${String.fromCharCode(mark.length)}${mark}`)) },
      { path, headers, body: frame(keyAndPassword) },
      { path, headers, body: mark },
    ]),
  ),
  ...[grpc, web].map((headers) => ({ path: sign, headers, body: frame(Buffer.from(`\n${mark}`)) })),
  ...[grpc, web].map((headers) => ({ path: sign, headers, body: mark })),
  ...['grpc-timeout', 'grpc-encoding', 'grpc-message'].map((name) => ({
    path: sign,
    headers: { ...grpc, [name]: mark },
  })),
  ...[
    'connect-timeout-ms',
    'content-encoding',
    'accept-encoding',
    'connect-protocol-version',
    'content-type',
  ].map((name) => ({ path: sign, headers: { ...json, [name]: mark }, body: '{}' })),
  ...['username', 'user_id', 'timeout', mark].map((name) => ({
    path: `/users/?${name}=${mark}%20`,
    method: 'GET',
  })),
  ...[`/users/?${mark}`, `/users/?timeout=${mark}`, `/healthz?${mark}`, `/nothing?${mark}`].map((path) => ({
    path,
    method: 'GET',
  })),
  ...[
    `${get}?message=${mark}&encoding=json`,
    `/grpc.health.v1.Health/Check?message=${mark}&encoding=json`,
  ].map((path) => ({
    path,
    method: 'GET',
  })),
  ...[json, grpc, web, streamed].flatMap((headers) =>
    [
      `/${mark}`,
      `/Users/${mark}`,
      `/users/${mark}`,
      `/Users/CreateUser/${mark}`,
      `/${mark}.Users/CreateUser`,
      `/users/;${mark}`,
    ].flatMap((path) => [
      { path, headers },
      { path, headers, method: 'GET' },
    ]),
  ),
  { path: '/grpc.health.v1.Health/Check', headers: json, body: `{"service":"${mark}"}` },
];
