// Proves what the console's page makes of what people type: links that restore a form and leave out what may be secret,
// values of each scalar type, JSON whose long numbers keep their digits, deadlines, and requests made from a
// descriptor.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fromJson, ScalarType } from '@bufbuild/protobuf';
import { parseDeadlineMs } from '../../../functions/web/console/page/try/deadline.ts';
import { exampleOf } from '../../../functions/web/console/page/try/example.ts';
import { readJson } from '../../../functions/web/console/page/try/json-text.ts';
import { type Filled, formatLink, parseLink } from '../../../functions/web/console/page/try/link.ts';
import { readScalar } from '../../../functions/web/console/page/try/scalar.ts';
import { isSecretField, isSecretMetadata } from '../../../functions/web/console/page/try/secret-name.ts';
import { ShapeSchema } from '../../rpc/gen/shapes_pb.js';

describe('a link', () => {
  const filled: Filled = {
    request: { text: 'a&b=c#d?é☃ %41', list: [1, { x: null }], big: '9007199254740993' },
    protocol: 'grpc-web',
    deadline: '5s',
    metadata: [
      ['ip', '::1'],
      ['empty', ''],
    ],
  };

  it('restores all that is no secret', () => {
    const { hash, left } = formatLink('/Users/GetUsers', filled);
    assert.deepEqual(parseLink(hash), { view: 'try', path: '/Users/GetUsers', filled });
    assert.deepEqual(left, []);
  });

  it('leaves out what may be secret, at any depth, and says so', () => {
    const { hash, left } = formatLink('/Users/CreateUser', {
      ...filled,
      request: { password: 'hidden', nested: [{ apiKey: 'hidden', name: 'ann' }] },
      metadata: [['x-secret', 'hidden'], ...filled.metadata],
    });
    assert.doesNotMatch(hash, /hidden/);
    assert.deepEqual(left, ['password', 'apiKey', 'x-secret']);
    assert.deepEqual(parseLink(hash).filled.request, { nested: [{ name: 'ann' }] });
  });

  it('that is broken restores nothing of its own', () => {
    assert.deepEqual(parseLink('#/try/A/B?request={&protocol=smoke').filled, { deadline: '', metadata: [] });
    assert.deepEqual(parseLink(''), { view: '', path: '', filled: { deadline: '', metadata: [] } });
  });

  it('knows names of secrets', () => {
    const secret = [
      'authorization',
      'Proxy-Authorization',
      'cookie',
      'x-api-key',
      'a_token',
      'client-secret',
      ...['apikey', 'x-apikey', 'x-auth', 'jwt', 'session', 'x-session-id', 'passwd', 'signature', 'bearer'],
      'key',
      'my-key-bin',
    ];
    for (const name of secret) assert.ok(isSecretMetadata(name), name);
    for (const name of ['ip', 'keyboard', 'x-request-id', 'monkey']) assert.ok(!isSecretMetadata(name), name);
    for (const name of ['password', 'newPassword', 'accessToken', 'api_key'])
      assert.ok(isSecretField(name), name);
    for (const name of ['username', 'requestId', 'key']) assert.ok(!isSecretField(name), name);
  });
});

describe('a value', () => {
  const { INT32, UINT32, INT64, UINT64, BOOL, BYTES, FLOAT, DOUBLE, STRING } = ScalarType;
  const good: readonly (readonly [ScalarType, string, unknown])[] = [
    [INT32, '-2147483648', -2147483648],
    [UINT32, ' 4294967295 ', 4294967295],
    [INT64, '-9223372036854775808', '-9223372036854775808'],
    [UINT64, '18446744073709551615', '18446744073709551615'],
    [BOOL, 'true', true],
    [BYTES, '3q2-7w', '3q2-7w'],
    [DOUBLE, '-1e300', -1e300],
    [FLOAT, 'NaN', 'NaN'],
    [STRING, '', ''],
  ];
  const bad: readonly (readonly [ScalarType, string])[] = [
    [INT32, '2147483648'],
    [INT32, '1.5'],
    [UINT32, '-1'],
    [INT64, '9223372036854775808'],
    [UINT64, '1e3'],
    [BOOL, 'yes'],
    [BYTES, 'a'],
    [BYTES, '$$'],
    [FLOAT, '1e39'],
    [DOUBLE, 'one'],
    [STRING, '\ud800'],
  ];

  it('of each type is read', () => {
    for (const [type, text, json] of good) assert.deepEqual(readScalar(type, text), { json });
  });

  it('that a type can’t have is refused', () => {
    for (const [type, text] of bad) assert.ok(readScalar(type, text).error, `${ScalarType[type]} ${text}`);
  });
});

describe('JSON', () => {
  it('keeps the digits of long numbers', () => {
    assert.deepEqual(readJson('{"id": 9007199254740993, "small": 7, "big": 1e300}'), {
      json: { id: '9007199254740993', small: 7, big: 1e300 },
    });
    assert.ok(readJson('{').error);
  });
});

describe('a deadline', () => {
  it('is a time with a unit, or in seconds', () => {
    const texts = { '5s': 5000, '300ms': 300, '2m': 120_000, '1.5': 1500, ' 0.5 s ': 500 };
    for (const [text, ms] of Object.entries(texts)) assert.equal(parseDeadlineMs(text), ms);
    for (const text of ['', '0', '-1s', 'soon', '5h', '1e3'])
      assert.equal(parseDeadlineMs(text), undefined, text);
  });
});

describe('an example', () => {
  it('is made of any descriptor, also of one that holds itself, and can be sent', () => {
    const example = exampleOf(ShapeSchema);
    assert.doesNotThrow(() => fromJson(ShapeSchema, example));
    assert.equal(example.text, 'text');
    assert.equal(example.long, '1');
    assert.equal(example.chosenShape, undefined, 'of a oneof the first alone');
    assert.equal(example.shape, undefined);
  });
});
