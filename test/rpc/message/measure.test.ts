// Proves that what a message would become is counted before it is made, to the element, in protobuf and in JSON,
// however the bytes are laid out; that bytes which the decoder would read otherwise than they are counted are refused;
// and that counting hostile bytes costs little more than reading them.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  create,
  createRegistry,
  type DescField,
  type DescMessage,
  fromBinary,
  type Message,
  toBinary,
} from '@bufbuild/protobuf';
import { isReflectList, isReflectMap, isReflectMessage, reflect } from '@bufbuild/protobuf/reflect';
import { Code, ConnectError } from '@connectrpc/connect';
import fc from 'fast-check';
import { jsonShape } from '../../../functions/rpc/message/json-shape.ts';
import type { MeasureLimits } from '../../../functions/rpc/message/measure.ts';
import { measureBinary } from '../../../functions/rpc/message/measure-binary.ts';
import { measureJson } from '../../../functions/rpc/message/measure-json.ts';
import { GetUsersRequestSchema } from '../../../proto/gen/users_types_pb.js';
import { EchoRequestSchema } from '../gen/echo_pb.js';
import { ShapeSchema } from '../gen/shapes_pb.js';
import { hostileBytes, messagesOf, varintOf } from './arbitrary.ts';

const unlimited: MeasureLimits = { maxMessageElements: Number.POSITIVE_INFINITY, elementLimits: [] };
const types: readonly DescMessage[] = [GetUsersRequestSchema, EchoRequestSchema, ShapeSchema];
/** With any number of keys: what is counted is another matter. */
const shapes = new Map(
  types.map((type) => [type, { ...jsonShape(type, createRegistry()), maxKeys: Number.POSITIVE_INFINITY }]),
);

/** Thrown by the limit of a field, with the count. */
class Counted extends ConnectError {
  readonly elements: number;

  constructor(elements: number) {
    super('counted');
    this.elements = elements;
  }
}

/** How many elements of a field are counted. */
function elementsOf(field: DescField, measure: (limits: MeasureLimits) => number): number {
  // Less than nothing is always exceeded.
  const limit = { field, maxElements: -1, error: (elements: number) => new Counted(elements) };
  try {
    measure({ ...unlimited, elementLimits: [limit] });
  } catch (error) {
    if (error instanceof Counted) return error.elements;
    throw error;
  }
  return assert.fail('no limit was applied');
}

/** Whether these have a message with so many elements at most. */
function isTooMany(maxMessageElements: number, measure: (limits: MeasureLimits) => number): boolean {
  try {
    measure({ ...unlimited, maxMessageElements });
    return false;
  } catch (error) {
    assert.ok(error instanceof ConnectError, String(error));
    return error.code === Code.ResourceExhausted;
  }
}

/** The message if it is counted and read without an error; what is thrown for others is a ConnectError. */
function readIfCounted(type: DescMessage, bytes: Buffer): Message | undefined {
  try {
    measureBinary(type, bytes, unlimited);
  } catch (error) {
    assert.ok(error instanceof ConnectError && error.code === Code.InvalidArgument, String(error));
    return undefined;
  }
  try {
    return fromBinary(type, bytes, { readUnknownFields: false });
  } catch {
    return undefined;
  }
}

/** Messages, elements, entries and texts within a message. */
function countObjects(type: DescMessage, message: Message): number {
  const reflected = reflect(type, message);
  let count = 0;
  for (const field of type.fields) {
    if (!reflected.isSet(field)) continue;
    const value: unknown = reflected.get(field);
    const values = isReflectList(value) || isReflectMap(value) ? [...value.values()] : [value];
    const isCounted = field.fieldKind === 'list' || field.fieldKind === 'map' || typeof value !== 'number';
    for (const it of values) {
      if (isReflectMessage(it)) count += 1 + countObjects(it.desc, it.message);
      else if (isCounted && (field.fieldKind !== 'scalar' || typeof it === 'string')) count += 1;
    }
  }
  return count;
}

describe('what a message in protobuf would become', () => {
  it('is counted for every message that an encoder makes', () => {
    for (const type of types) {
      fc.assert(
        fc.property(messagesOf(type), (message) => {
          const bytes = Buffer.from(toBinary(type, message));
          assert.ok(readIfCounted(type, bytes), 'the message is refused');
          const objects = countObjects(type, message);
          assert.equal(objects > 0 && !isTooMany(objects - 1, (it) => measureBinary(type, bytes, it)), false);
        }),
        { numRuns: 200 },
      );
    }
  });

  it('is no more than was counted, whatever the bytes', () => {
    let read = 0;
    for (const type of types) {
      fc.assert(
        fc.property(hostileBytes, (bytes) => {
          const message = readIfCounted(type, bytes);
          if (message === undefined) return;
          const objects = countObjects(type, message);
          if (objects > 0) read += 1;
          assert.equal(objects > 0 && !isTooMany(objects - 1, (it) => measureBinary(type, bytes, it)), false);
        }),
        { numRuns: 2_000 },
      );
    }
    assert.ok(read > 50, `only ${read} of the hostile bytes were messages`);
  });

  it('has exactly the elements of a field that the decoder makes, whatever the bytes', () => {
    for (const type of types) {
      const lists = type.fields.filter(({ fieldKind }) => fieldKind === 'list');
      fc.assert(
        fc.property(fc.oneof(hostileBytes, bytesOf(type)), fc.constantFrom(...lists), (bytes, field) => {
          const message = readIfCounted(type, bytes);
          if (message === undefined) return;
          const list = reflect(type, message).get(field);
          assert.ok(isReflectList(list));
          assert.equal(
            elementsOf(field, (limits) => measureBinary(type, bytes, limits)),
            list.size,
          );
        }),
        { numRuns: 1_000 },
      );
    }
  });

  // Each is read by protobuf-es as something that its tags don't say; what is behind it would not be counted.
  const users = (count: number) => '0a00'.repeat(count);
  for (const [what, type, hex] of [
    ['a message whose tag says that it is a number', GetUsersRequestSchema, '0800'],
    ['a text that ends beyond its message', GetUsersRequestSchema, `0a020a041a80808001${users(3)}`],
    ['a number that ends beyond its message', GetUsersRequestSchema, `0a0210801a${users(9)}`],
    ['a text whose tag says that it is a number', EchoRequestSchema, '3000'],
    ['a number whose tag says that it is a text', EchoRequestSchema, `1204${'1a00'.repeat(2)}`],
    ['packed numbers that end beyond their field', ShapeSchema, `92010180${'ba0100'.repeat(2)}`],
    ['packed numbers of four bytes in five', ShapeSchema, `9a01050000000000${'ba0100'.repeat(2)}`],
    ['a map entry whose value is a number', ShapeSchema, 'd201021000'],
    ['a group that ends with another message', ShapeSchema, '4203c3011a4c'],
    ['a group without an end', ShapeSchema, 'c301'],
    ['an unknown group without an end', GetUsersRequestSchema, '1b0a00'],
    ['the end of no group', GetUsersRequestSchema, '0c'],
  ] as const) {
    it(`is not guessed: ${what} is refused`, () => {
      assert.throws(
        () => measureBinary(type, Buffer.from(hex, 'hex'), unlimited),
        (error) => error instanceof ConnectError && error.code === Code.InvalidArgument,
      );
    });
  }

  it('is not nested more deeply than protobuf allows', () => {
    for (const [open, close] of [
      ['9b02', '9c02'],
      ['4b', '4c'],
    ] as const) {
      const groups = (depth: number) => Buffer.from(open.repeat(depth) + close.repeat(depth), 'hex');
      assert.ok(measureBinary(ShapeSchema, groups(100), unlimited));
      assert.throws(() => measureBinary(ShapeSchema, groups(101), unlimited), ConnectError);
      assert.throws(() => measureBinary(ShapeSchema, groups(200_000), unlimited), ConnectError);
    }
    const nested = (depth: number): Buffer =>
      Array.from({ length: depth }).reduce<Buffer>(
        (inner) => Buffer.concat([Buffer.of(0x42), varintOf(BigInt(inner.length)), inner]),
        Buffer.alloc(0),
      );
    assert.ok(measureBinary(ShapeSchema, nested(100), unlimited));
    assert.throws(() => measureBinary(ShapeSchema, nested(102), unlimited), ConnectError);
  });

  it('is counted behind texts of any length', () => {
    const { user } = GetUsersRequestSchema.field;
    for (const length of [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152]) {
      const large = toBinary(
        GetUsersRequestSchema,
        create(GetUsersRequestSchema, { user: [{ username: 'x'.repeat(length) }] }),
      );
      const bytes = Buffer.concat([large, Buffer.from('0a000a00', 'hex')]);
      assert.equal(
        elementsOf(user, (limits) => measureBinary(GetUsersRequestSchema, bytes, limits)),
        3,
        `${length}`,
      );
    }
  });

  it('does not count what is in an unknown group as the message’s own', () => {
    const bytes = Buffer.from('0a001b0a000a001c0a00', 'hex');
    const { user } = GetUsersRequestSchema.field;
    assert.equal(
      elementsOf(user, (limits) => measureBinary(GetUsersRequestSchema, bytes, limits)),
      2,
    );
  });
});

describe('what a message in JSON would become', () => {
  const { user } = GetUsersRequestSchema.field;
  const { shapeBySmall, textByText } = ShapeSchema.field;
  const count = (type: DescMessage, field: DescField, json: string) => {
    const shape = shapes.get(type) ?? assert.fail();
    return elementsOf(field, (limits) => measureJson(shape, Buffer.from(json), limits));
  };

  const space = fc.string({ unit: fc.constantFrom(' ', '\t', '\n', '\r'), maxLength: 3 });
  /** A key as JSON may have it, with some of its characters escaped. */
  const keyOf = (name: string) =>
    fc.array(fc.boolean(), { minLength: name.length, maxLength: name.length }).map((escapes) => {
      const hex = (at: number) => name.charCodeAt(at).toString(16).padStart(4, '0');
      return `"${[...name].map((letter, at) => (escapes[at] ? `\\u${hex(at)}` : letter)).join('')}"`;
    });
  /** Values that hold what looks like elements of the field. */
  const decoy = fc.constantFrom(
    '{}',
    '[]',
    '0',
    'null',
    '"user"',
    '"\\"user\\":[1,2]"',
    '"\\\\"',
    '{"user":[{},{}]}',
    '[[1,2],{"user":[3,4]}]',
    '{"a":"]","b":"}{","user":{"user":[0,0]}}',
  );
  const list = fc.array(decoy, { maxLength: 5 });
  const pairs = (names: string[]) =>
    fc.array(
      fc.oneof(
        fc.record({ key: fc.constantFrom(...names).chain(keyOf), elements: list }),
        fc.record({
          key: fc.constantFrom('"users"', '"use"', '""', '"u\\u0073erx"', '"\\user"', '"\\u00fcser"'),
          elements: fc.constant(undefined),
          other: decoy,
        }),
      ),
      { maxLength: 5 },
    );

  it('has exactly the elements that are written, by either name, however they are written', () => {
    for (const [type, field, open, close] of [
      [GetUsersRequestSchema, user, '[', ']'],
      [ShapeSchema, textByText, '{', '}'],
      [ShapeSchema, shapeBySmall, '{', '}'],
    ] as const) {
      fc.assert(
        fc.property(pairs([field.name, field.jsonName]), space, (written, white) => {
          const isMap = open === '{';
          let expected = 0;
          const members = written.map((it) => {
            if (it.elements === undefined) return `${it.key}${white}:${white}${it.other}`;
            expected += it.elements.length;
            const elements = it.elements.map((value, at) => (isMap ? `"${at}":${white}${value}` : value));
            return `${it.key}${white}:${white}${open}${white}${elements.join(`${white},${white}`)}${white}${close}`;
          });
          const json = `${white}{${white}${members.join(`${white},${white}`)}${white}}${white}`;
          JSON.parse(json.replaceAll('\\user', 'ser')); // it is JSON, but for the escape that there is none of
          assert.equal(count(type, field, json), expected);
        }),
        { numRuns: 500 },
      );
    }
  });

  it('counts nothing that is not in the outermost object', () => {
    for (const json of [
      '[{"user":[{},{}]}]',
      '{"a":{"user":[{},{}]}}',
      '"user"',
      '["user",[1,2]]',
      '[0,"user",[1,2]]',
      '',
      '}{',
      ']]',
    ]) {
      assert.equal(count(GetUsersRequestSchema, user, json), 0, json);
    }
  });

  it('is bounded by its values, and a text is one of them, whatever is in it', () => {
    const shape = shapes.get(GetUsersRequestSchema) ?? assert.fail();
    const elements = (json: string) => {
      for (let max = 0; ; max++) {
        if (!isTooMany(max, (limits) => measureJson(shape, Buffer.from(json), limits))) return max;
      }
    };
    assert.equal(elements('{"user":[]}'), 2);
    assert.equal(elements('{"user":[{},{"username":"[{,"}]}'), 5);
    assert.equal(elements('{"a":"\\",,,","b":"\\\\","c":1}'), 3);
  });

  it('is refused where an object has more keys than any of its types has fields, unless it may be a map', () => {
    const isRefused = (type: DescMessage, json: string) => {
      const shape = jsonShape(type, createRegistry());
      try {
        measureJson(shape, Buffer.from(json), unlimited);
        return false;
      } catch (error) {
        assert.ok(error instanceof ConnectError && error.code === Code.InvalidArgument, String(error));
        return true;
      }
    };
    const keys = (count: number) => Array.from({ length: count }, (_, at) => `"k${at}":[0,0,0,0,0]`).join();
    for (const around of ['{"user":[{},{@}]}', '{"user":[{},{"a":{},@}]}', '{"user":[{}],@}']) {
      assert.equal(isRefused(GetUsersRequestSchema, around.replace('@', keys(1))), false);
      assert.equal(isRefused(GetUsersRequestSchema, around.replace('@', keys(4))), true);
    }
    assert.equal(isRefused(EchoRequestSchema, `{${keys(8)}}`), false);
    assert.equal(isRefused(ShapeSchema, `{${keys(1_000)}}`), false);
  });

  it('is counted for any text, or refused by a ConnectError', () => {
    const shape = shapes.get(GetUsersRequestSchema) ?? assert.fail();
    const token = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"',
      '\\',
      'u',
      '0',
      '"user":[',
      ' ',
      '\u{1f600}',
    );
    const texts = fc.oneof(
      fc.array(token, { maxLength: 300 }).map((it) => it.join('')),
      fc.string(),
    );
    fc.assert(
      fc.property(texts, (json) => {
        try {
          assert.ok(measureJson(shape, Buffer.from(json), unlimited) >= json.length);
        } catch (error) {
          assert.ok(error instanceof ConnectError && error.code === Code.InvalidArgument, String(error));
        }
      }),
      { numRuns: 2_000 },
    );
    assert.ok(measureJson(shape, Buffer.from('['.repeat(100)), unlimited));
    assert.throws(() => measureJson(shape, Buffer.from('['.repeat(101)), unlimited), ConnectError);
  });
});

describe('counting', () => {
  const { user } = GetUsersRequestSchema.field;
  const limits: MeasureLimits = {
    maxMessageElements: 50_000,
    elementLimits: [{ field: user, maxElements: 10_000, error: (elements) => new Counted(elements) }],
  };
  const mebibyte = 1024 * 1024;
  const json = shapes.get(GetUsersRequestSchema) ?? assert.fail();
  const binary = (bytes: Buffer) => () => measureBinary(GetUsersRequestSchema, bytes, limits);
  const text = (bytes: Buffer) => () => measureJson(json, bytes, limits);
  for (const [what, fill, measureOf] of [
    ['users of nothing', Buffer.from('0a00', 'hex'), binary],
    ['users of a number', Buffer.from('0a021001', 'hex'), binary],
    ['fields that nobody knows', Buffer.from('1801', 'hex'), binary],
    ['a group that begins ever again', Buffer.from('1b', 'hex'), binary],
    ['a varint without an end', Buffer.from('ff', 'hex'), binary],
    ['objects of nothing', Buffer.from('{},'), text],
    ['keys with escapes', Buffer.from('"\\u0075ser":0,'), text],
    ['spaces in arrays', Buffer.from('[ '), text],
    ['quotes', Buffer.from('"'), text],
    ['backslashes', Buffer.from('\\'), text],
  ] as const) {
    it(`takes a small multiple of reading 1 MiB of ${what}`, () => {
      // At the beginning of JSON is an object, so that its keys count.
      const start = Buffer.from(measureOf === text ? '{"user":[' : '');
      const bytes = (length: number) => Buffer.concat([start, Buffer.alloc(length, fill)]);
      const whole = bytes(mebibyte);
      const reading = quickestMs(() => whole.reduce((sum, byte) => sum + byte, 0));
      const counting = quickestMs(measureOf(whole));
      const ofQuarter = quickestMs(measureOf(bytes(mebibyte / 4)));
      assert.ok(counting < 20 * reading, `${counting} ms for what is read in ${reading} ms`);
      // Four times as long for four times as much, and room for a busy machine: what is quadratic takes 16 times as
      // long.
      assert.ok(
        counting < 10 * ofQuarter + reading,
        `${counting} ms, and ${ofQuarter} ms for a quarter of it`,
      );
    });
  }
});

/** How long it takes when nothing else gets in between. */
function quickestMs(work: () => unknown): number {
  let quickest = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 12; round++) {
    const startedAtMs = performance.now();
    try {
      work();
    } catch (error) {
      assert.ok(error instanceof ConnectError, String(error));
    }
    quickest = Math.min(quickest, performance.now() - startedAtMs);
  }
  return quickest;
}

function bytesOf(type: DescMessage): fc.Arbitrary<Buffer> {
  return messagesOf(type).map((message) => Buffer.from(toBinary(type, message)));
}
