// Proves that a message takes no more memory than was counted for it before it was made, whatever it is made of; and
// that for real messages no more is counted than a stated multiple of their size.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  createRegistry,
  type DescMessage,
  fromBinary,
  fromJson,
  type Registry,
  toBinary,
  toJsonString,
} from '@bufbuild/protobuf';
import {
  AnySchema,
  FieldMaskSchema,
  FileDescriptorProtoSchema,
  ListValueSchema,
  StructSchema,
} from '@bufbuild/protobuf/wkt';
import { ConnectError } from '@connectrpc/connect';
import fc from 'fast-check';
import { jsonShape } from '../../../functions/rpc/message/json-shape.ts';
import type { MeasureLimits } from '../../../functions/rpc/message/measure.ts';
import { measureBinary } from '../../../functions/rpc/message/measure-binary.ts';
import { measureJson } from '../../../functions/rpc/message/measure-json.ts';
import { CreateUserRequestSchema, GetUsersRequestSchema } from '../../../proto/gen/users_types_pb.js';
import { assertHeapBytes } from '../../support/heap.ts';
import { EchoRequestSchema, EchoResponseSchema } from '../gen/echo_pb.js';
import { BlobsSchema, FlagsSchema, ShapeSchema } from '../gen/shapes_pb.js';
import { hostileBytes, messagesOf, varintOf } from './arbitrary.ts';

const unlimited: MeasureLimits = { maxMessageElements: Number.POSITIVE_INFINITY, elementLimits: [] };
const registry: Registry = createRegistry(AnySchema, EchoRequestSchema, GetUsersRequestSchema);
const types: readonly DescMessage[] = [
  GetUsersRequestSchema,
  CreateUserRequestSchema,
  EchoRequestSchema,
  ShapeSchema,
];

/** A sample takes long, and to find a smaller one would take very long. */
const runs = { numRuns: 6, endOnFailure: true };

/** What a real message of this contract may be counted for, as a multiple of its size. */
const maxMultipleOfBinary = 32;
const maxMultipleOfJson = 24;

/** Of the array that holds what belongs to one message. */
const arrayOfThreeBytes = 56;

function assertBinary(type: DescMessage, bytes: Buffer): void {
  const counted = measureBinary(type, bytes, unlimited);
  const make = () => fromBinary(type, bytes, { readUnknownFields: false });
  assertHeapBytes(make, counted, hexOf(bytes));
}

/** The text, what is parsed of it, and the message: for a moment, all of them are there. */
function assertJson(type: DescMessage, json: string): void {
  const bytes = Buffer.from(json);
  const shape = { ...jsonShape(type, registry), maxKeys: Number.POSITIVE_INFINITY };
  const counted = measureJson(shape, bytes, unlimited);
  const decoder = new TextDecoder();
  const make = () => {
    const text = decoder.decode(bytes);
    const parsed = JSON.parse(text);
    return [text, parsed, fromJson(type, parsed, { registry, ignoreUnknownFields: true })];
  };
  assertHeapBytes(make, counted + arrayOfThreeBytes, json.slice(0, 200));
}

function hexOf(bytes: Buffer): string {
  return `${bytes.length} bytes: ${bytes.subarray(0, 100).toString('hex')}`;
}

/** A field of bytes, text, or a message. */
function field(number: number, content: Buffer | string = ''): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([varintOf(BigInt(number) * 8n + 2n), varintOf(BigInt(bytes.length)), bytes]);
}

function repeat(bytes: Buffer, count: number): Buffer {
  return Buffer.alloc(bytes.length * count, bytes);
}

function each(count: number, make: (index: number) => Buffer): Buffer {
  return Buffer.concat(Array.from({ length: count }, (_, index) => make(index)));
}

describe('a message takes no more memory than is counted', () => {
  for (const type of types) {
    it(`of protobuf: ${type.typeName}`, () => {
      fc.assert(
        fc.property(messagesOf(type, { maxElements: 20 }), (message) =>
          assertBinary(type, Buffer.from(toBinary(type, message))),
        ),
        runs,
      );
    });

    it(`of protobuf, from any bytes that can be read: ${type.typeName}`, () => {
      fc.assert(
        fc.property(
          hostileBytes.filter((bytes) => canRead(type, bytes)),
          (bytes) => assertBinary(type, bytes),
        ),
        runs,
      );
    });

    it(`of JSON: ${type.typeName}`, () => {
      fc.assert(
        fc.property(messagesOf(type, { maxElements: 20 }), (message) => {
          const json = jsonOf(type, message);
          if (json !== undefined) assertJson(type, json);
        }),
        runs,
      );
    });
  }

  // What makes the most of the fewest bytes, where nothing else hides it.
  const entry = (key: Buffer, value: Buffer = Buffer.alloc(0)) => Buffer.concat([key, value]);
  for (const [what, type, bytes] of [
    ['nothing at all', GetUsersRequestSchema, Buffer.alloc(0)],
    ['an element', GetUsersRequestSchema, field(1)],
    ['empty elements', GetUsersRequestSchema, repeat(field(1), 10_000)],
    [
      'elements with numbers',
      GetUsersRequestSchema,
      repeat(field(1, Buffer.from('10ffffffff0f', 'hex')), 5_000),
    ],
    ['elements with short texts', GetUsersRequestSchema, repeat(field(1, field(1, 'ab')), 5_000)],
    [
      'long texts beyond Latin-1',
      GetUsersRequestSchema,
      repeat(field(1, field(1, `${'a'.repeat(500)}一`)), 500),
    ],
    ['an element of each list', EchoRequestSchema, Buffer.concat([field(3), field(4), field(6)])],
    ['lists within messages', EchoRequestSchema, field(5, Buffer.concat([field(3), field(4)]))],
    ['lists in turn', EchoRequestSchema, repeat(Buffer.concat([field(3), field(4), field(6)]), 2_000)],
    ['short texts', EchoRequestSchema, repeat(field(6, 'ab'), 5_000)],
    ['bytes', EchoRequestSchema, field(5, repeat(field(3, field(2, 'a')), 5_000))],
    ['messages with many lists', FileDescriptorProtoSchema, repeat(field(4), 1_000)],
    ['messages with many members', ShapeSchema, repeat(field(23), 500)],
    ['groups', ShapeSchema, repeat(Buffer.from('c301c401', 'hex'), 500)],
    ['packed numbers', ShapeSchema, field(18, repeat(Buffer.of(1), 20_000))],
    ['packed bigints', ShapeSchema, field(20, repeat(Buffer.from('80808080800f', 'hex'), 5_000))],
    ['numbers one by one', ShapeSchema, repeat(Buffer.from('980108', 'hex').fill(0x90, 0, 1), 5_000)],
    [
      'entries of texts',
      ShapeSchema,
      each(5_000, (index) => field(26, entry(field(1, `k${index}`), field(2, 'ab')))),
    ],
    [
      'entries of nothing',
      ShapeSchema,
      each(300, (index) => field(27, entry(Buffer.concat([Buffer.of(8), varintOf(BigInt(index))])))),
    ],
    [
      'entries far apart',
      ShapeSchema,
      each(5_000, (index) => field(28, Buffer.concat([Buffer.of(8), varintOf(BigInt(index) * 977n)]))),
    ],
    ['values of any kind', ShapeSchema, repeat(field(25, field(3, 'ab')), 3_000)],
  ] as const) {
    it(`of protobuf with ${what}`, () => assertBinary(type, bytes));
  }

  const list = (count: number, value: (index: number) => string) =>
    Array.from({ length: count }, (_, index) => value(index)).join();
  for (const [what, type, json] of [
    ['nothing at all', GetUsersRequestSchema, '{}'],
    ['empty elements', GetUsersRequestSchema, `{"user":[${list(5_000, () => '{}')}]}`],
    [
      'elements with texts',
      GetUsersRequestSchema,
      `{"user":[${list(5_000, (it) => `{"username":"n${it}"}`)}]}`,
    ],
    [
      'texts beyond Latin-1',
      GetUsersRequestSchema,
      `{"user":[${list(500, () => `{"username":"${'a'.repeat(500)}一"}`)}]}`,
    ],
    [
      'unknown objects, each with a key of its own',
      GetUsersRequestSchema,
      `{"x":[${list(5_000, (it) => `{"k${it}":0}`)}]}`,
    ],
    [
      'an unknown object with many keys',
      GetUsersRequestSchema,
      `{"x":{${list(10_000, (it) => `"${it.toString(36)}z":0`)}}}`,
    ],
    [
      'an unknown object with far numbers',
      GetUsersRequestSchema,
      `{"x":{${list(10_000, (it) => `"${it * 977}":0`)}}}`,
    ],
    ['unknown floats among texts', GetUsersRequestSchema, `{"x":["",${list(10_000, () => '0.5')}]}`],
    ['unknown lists of lists', GetUsersRequestSchema, `{"x":[${list(5_000, () => '[[]]')}]}`],
    ['texts', EchoRequestSchema, `{"show":[${list(5_000, (it) => `"${(it % 1296).toString(36)}"`)}]}`],
    [
      'empty messages',
      EchoRequestSchema,
      `{"headers":[${list(5_000, () => '{}')}],"failure":{"details":[${list(5_000, () => '{}')}]}}`,
    ],
    [
      'an Any of an Any',
      EchoRequestSchema,
      `{"failure":{"details":[${list(3_000, () => '{"@type":"/google.protobuf.Any"}')}]}}`,
    ],
    ['bytes', EchoResponseSchema, '{"pad":"AA=="}'],
    ['lists of bytes', BlobsSchema, `{"blobs":[${list(3_000, () => '"AA"')}]}`],
    ['values that are messages', FlagsSchema, `{"flags":[${list(5_000, () => 'true')}]}`],
    ['bigints', ShapeSchema, `{"longs":[${list(3_000, (it) => `"${2n ** 40n + BigInt(it)}"`)}]}`],
    ['messages of messages', ShapeSchema, `{"shapes":[${list(500, () => '{}')}]}`],
    ['entries', ShapeSchema, `{"shapeBySmall":{${list(300, (it) => `"${it}":{}`)}}}`],
    ['any values', ShapeSchema, `{"values":[${list(3_000, () => '0')}]}`],
    ['a Struct', StructSchema, `{${list(5_000, (it) => `"${it.toString(36)}":0`)}}`],
    ['lists of a ListValue', ListValueSchema, `[${list(5_000, () => '[0]')}]`],
    ['paths', FieldMaskSchema, `"${list(5_000, () => 'a')}"`],
  ] as const) {
    it(`of JSON with ${what}`, () => assertJson(type, json));
  }
});

describe('no more is counted than a multiple of the size', () => {
  const name = fc.stringMatching(/^[A-Za-z0-9][\w.-]{4,63}$/);
  const users = fc.array(fc.record({ username: name, userId: fc.nat() }), { minLength: 5, maxLength: 200 });
  it(`of ${maxMultipleOfBinary} for users in protobuf, and of ${maxMultipleOfJson} in JSON`, () => {
    fc.assert(
      fc.property(users, (user) => {
        const request = { $typeName: 'users.GetUsersRequest', user } as const;
        const message = fromJson(GetUsersRequestSchema, { user: request.user });
        const bytes = toBinary(GetUsersRequestSchema, message);
        const json = Buffer.from(toJsonString(GetUsersRequestSchema, message));
        const shape = jsonShape(GetUsersRequestSchema, registry);
        assert.ok(
          measureBinary(GetUsersRequestSchema, bytes, unlimited) <= maxMultipleOfBinary * bytes.length,
        );
        assert.ok(measureJson(shape, json, unlimited) <= maxMultipleOfJson * json.length);
      }),
    );
  });
});

function canRead(type: DescMessage, bytes: Buffer): boolean {
  try {
    measureBinary(type, bytes, unlimited);
    fromBinary(type, bytes, { readUnknownFields: false });
    return true;
  } catch (error) {
    assert.ok(error instanceof Error);
    return false;
  }
}

/** Not every value has a JSON form: a NaN in a `google.protobuf.Value` has none. */
function jsonOf(type: DescMessage, message: Parameters<typeof toJsonString>[1]): string | undefined {
  try {
    return toJsonString(type, message, { registry });
  } catch (error) {
    assert.ok(!(error instanceof ConnectError));
    return undefined;
  }
}
