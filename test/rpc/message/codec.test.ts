// Proves that a message which is read in turns is the same as one that is read at once, in protobuf and in JSON,
// whatever is in it and wherever it is cut; that it is looked at the clock often enough, however little the message
// holds at its top; and that nothing more is read for a call that has ended.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { create, createRegistry, type DescMessage, type Message, toBinary, toJson } from '@bufbuild/protobuf';
import { AnySchema, StructSchema } from '@bufbuild/protobuf/wkt';
import { ConnectError } from '@connectrpc/connect';
import fc from 'fast-check';
import { Turns } from '../../../functions/rpc/call/turns.ts';
import { canceled } from '../../../functions/rpc/errors.ts';
import { BinaryCodec, type Codec, JsonCodec } from '../../../functions/rpc/message/codec.ts';
import { GetUsersRequestSchema } from '../../../proto/gen/users_types_pb.js';
import { EchoRequestSchema } from '../gen/echo_pb.js';
import { ShapeSchema } from '../gen/shapes_pb.js';
import { hostileBytes, messagesOf, varintOf } from './arbitrary.ts';

const registry = createRegistry(AnySchema, EchoRequestSchema);
const types: readonly DescMessage[] = [GetUsersRequestSchema, EchoRequestSchema, ShapeSchema];
const unlimited = { maxMessageElements: Number.POSITIVE_INFINITY, elementLimits: [] };
const running = { isOver: false };

/** Turns that are always over: who looks must wait. */
class CountedTurns extends Turns {
  looks = 0;

  override get isOver(): boolean {
    this.looks += 1;
    return true;
  }

  override async next(): Promise<void> {}
}

/** The same in both ways: the message, or that it can't be read. */
async function assertSame(codec: Codec, bytes: Buffer): Promise<void> {
  const whole = read(() => codec.parse(bytes));
  const inTurns = await codec.parseInTurns(bytes, new CountedTurns(), running).catch(refusal);
  if (whole instanceof ConnectError || inTurns instanceof ConnectError) {
    assert.deepEqual(inTurns, whole);
  } else {
    assert.ok(isDeepStrictEqual(inTurns, whole), 'the messages differ');
  }
}

function read(work: () => Message): Message | ConnectError {
  try {
    return work();
  } catch (error) {
    return refusal(error);
  }
}

function refusal(error: unknown): ConnectError {
  assert.ok(error instanceof ConnectError, String(error));
  return error;
}

function field(number: number, content: Buffer, type = 2): Buffer {
  const tag = varintOf(BigInt(number * 8 + type));
  if (type === 3) return Buffer.concat([tag, content, varintOf(BigInt(number * 8 + 4))]);
  return Buffer.concat([tag, varintOf(BigInt(content.length)), content]);
}

/** Messages one after the other are one, the later merged into the earlier. */
function bytesOf(type: DescMessage, minBytes: number): fc.Arbitrary<Buffer> {
  return fc.array(messagesOf(type, { maxElements: 8 }), { minLength: 1, maxLength: 8 }).map((messages) => {
    const bytes = Buffer.concat(messages.map((message) => toBinary(type, message)));
    const times = Math.ceil(minBytes / Math.max(1, bytes.length));
    return Buffer.concat(Array.from({ length: Math.min(times, 2_000) }, () => bytes));
  });
}

describe('a message in protobuf, read in turns', () => {
  for (const type of types) {
    it(`is the same: ${type.typeName}`, async () => {
      const codec = new BinaryCodec(type);
      await fc.assert(
        fc.asyncProperty(bytesOf(type, 20_000), (bytes) => assertSame(codec, bytes)),
        { numRuns: 20, endOnFailure: true },
      );
    });
  }

  it('is the same where large messages are within it, of any kind', async () => {
    const codec = new BinaryCodec(ShapeSchema);
    /** Numbers of fields that hold a Shape, how they are on the wire, and what goes around it. */
    const holders = fc.constantFrom<(content: Buffer) => Buffer>(
      (it) => field(8, it), // shape
      (it) => field(9, it, 3), // group
      (it) => field(13, it), // chosen_shape
      (it) => field(23, it), // shapes
      (it) => field(24, it, 3), // groups
      (it) => field(27, field(2, it)), // shape_by_small
      (it) => field(99, it), // unknown
    );
    const nested = fc
      .tuple(fc.array(holders, { minLength: 1, maxLength: 4 }), bytesOf(ShapeSchema, 9_000))
      .map(([around, bytes]) => around.reduce((inner, hold) => hold(inner), bytes));
    const small = bytesOf(ShapeSchema, 0);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(nested, small), { minLength: 1, maxLength: 5 }), (parts) =>
        assertSame(codec, Buffer.concat(parts)),
      ),
      { numRuns: 20, endOnFailure: true },
    );
  });

  it('is the same where a field holds what is no message in JavaScript', async () => {
    const fields = Object.fromEntries(Array.from({ length: 2_000 }, (_, at) => [`k${at}`, at]));
    const struct = toBinary(StructSchema, create(StructSchema, { fields: {} }));
    const shape = create(ShapeSchema, { struct: fields, wrapper: 'x'.repeat(20_000) });
    const bytes = Buffer.from(toBinary(ShapeSchema, shape));
    assert.ok(bytes.length > 30_000 && struct.length === 0);
    await assertSame(new BinaryCodec(ShapeSchema), bytes);
  });

  it('is the same, or refused alike, whatever the bytes', async () => {
    for (const type of types) {
      const codec = new BinaryCodec(type);
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.oneof(hostileBytes, bytesOf(type, 0)), { maxLength: 6 }),
          async (parts) => {
            const bytes = Buffer.concat(parts);
            try {
              codec.measure(bytes, unlimited);
            } catch (error) {
              refusal(error);
              return; // what is not counted is not read either
            }
            await assertSame(codec, bytes);
            // Also where it is much: all of it again and again, within another message too.
            const much = Buffer.concat(Array.from({ length: 300 }, () => bytes));
            await assertSame(codec, much);
            await assertSame(new BinaryCodec(ShapeSchema), field(99, much));
          },
        ),
        { numRuns: 30, endOnFailure: true },
      );
    }
  });
});

describe('a message in JSON, read in turns', () => {
  for (const type of types) {
    it(`is the same: ${type.typeName}`, async () => {
      const codec = new JsonCodec(type, registry);
      await fc.assert(
        fc.asyncProperty(
          fc.array(messagesOf(type, { maxElements: 8 }), { minLength: 1, maxLength: 3 }),
          fc.nat(200),
          async (messages, times) => {
            const json = jsonOf(type, messages, times);
            if (json !== undefined) await assertSame(codec, json);
          },
        ),
        { numRuns: 20, endOnFailure: true },
      );
    });
  }

  const long = (element: string) => `[${Array.from({ length: 300 }, () => element).join()}]`;
  for (const [what, type, json] of [
    [
      'a list by both of its names',
      ShapeSchema,
      `{"shape_by_small":{},"smalls":${long('1')},"shapeBySmall":{}}`,
    ],
    ['lists by the name of the proto file', ShapeSchema, `{"texts":${long('"a"')},"text_by_text":{"a":"b"}}`],
    ['a list with an element that can’t be read', ShapeSchema, `{"smalls":[${'1,'.repeat(299)}"x"]}`],
    ['a list of null', ShapeSchema, `{"shapes":${long('null')}}`],
    ['values that are lists', ShapeSchema, `{"values":${long('[1,[2]]')}}`],
    ['a value that is a list', ShapeSchema, `{"value":${long('1')},"list":${long('2')}}`],
    ['a Struct with long lists', ShapeSchema, `{"struct":{"smalls":${long('1')}}}`],
    ['a list where a message should be', ShapeSchema, `{"shape":${long('1')}}`],
    ['a list where a map should be', ShapeSchema, `{"textByText":${long('1')}}`],
    ['long lists that nobody knows', ShapeSchema, `{"unknown":${long('{"a":[]}')},"__proto__":${long('1')}}`],
    ['keys that objects have', ShapeSchema, `{"constructor":${long('1')},"texts":${long('"a"')}}`],
    ['an Any by itself', AnySchema, `{"@type":"/test.echo.v1.EchoRequest","show":${long('"a"')}}`],
    ['a Struct by itself', StructSchema, `{"fields":${long('1')}}`],
    ['an array', EchoRequestSchema, long('{}')],
    ['no JSON', EchoRequestSchema, `{"show":${long('"a"')}`],
  ] as const) {
    it(`is the same, or refused alike: ${what}`, async () => {
      await assertSame(new JsonCodec(type, registry), Buffer.from(json));
    });
  }

  it('is refused where a list comes by two names, however long it is', async () => {
    const codec = new JsonCodec(ShapeSchema, registry);
    const twice = `{"other_texts":${long('"a"')},"otherTexts":["b"]}`;
    const bytes = Buffer.from(twice);
    await assertSame(codec, bytes);
    await assert.rejects(codec.parseInTurns(bytes, new CountedTurns(), running), ConnectError);
  });
});

describe('while a message is read in turns', () => {
  const mebibyte = 1024 * 1024;
  /** Whole ones: the last would be cut short. */
  const users = Buffer.alloc(mebibyte, '0a090a05616c6578611007', 'hex').subarray(
    0,
    Math.floor(mebibyte / 11) * 11,
  );
  const numbers = Buffer.alloc(mebibyte, '1001', 'hex');
  const json = (count: number) =>
    Buffer.from(`{"user":[${Array.from({ length: count }, () => '{"username":"alexa"}').join()}]}`);
  const binary = new BinaryCodec(GetUsersRequestSchema);
  const shapes = new BinaryCodec(ShapeSchema);
  for (const [what, codec, bytes, slices] of [
    ['many users in protobuf', binary, users, users.length / 11 / 128],
    ['many users in JSON', new JsonCodec(GetUsersRequestSchema, registry), json(20_000), 20_000 / 128],
    ['one user of many numbers', binary, field(1, numbers), mebibyte / 8192],
    [
      'one user behind a group',
      binary,
      Buffer.concat([Buffer.from('9b019c01', 'hex'), users]),
      users.length / 11 / 128,
    ],
    [
      'many messages within one',
      shapes,
      field(8, field(23, field(13, Buffer.alloc(mebibyte, '0a00', 'hex')))),
      100,
    ],
  ] as const) {
    it(`it is looked at the clock at least every 8 KiB and 128 fields: ${what}`, async () => {
      const turns = new CountedTurns();
      await codec.parseInTurns(bytes, turns, running);
      assert.ok(turns.looks >= slices, `${turns.looks} looks, at least ${slices} were due`);
    });

    it(`a call that ends ends the reading: ${what}`, async () => {
      const turns = new CountedTurns();
      const call = {
        get isOver() {
          return turns.looks >= 5;
        },
      };
      await assert.rejects(codec.parseInTurns(bytes, turns, call), canceled());
      assert.equal(turns.looks, 5);
    });
  }
});

/** The JSON of messages whose lists are joined, each repeated. */
function jsonOf(type: DescMessage, messages: readonly Message[], times: number): Buffer | undefined {
  const merged: Record<string, unknown> = {};
  for (const message of messages) {
    try {
      const json = toJson(type, message, { registry });
      for (const [key, value] of Object.entries(json ?? {})) {
        const before = merged[key];
        merged[key] = Array.isArray(before) && Array.isArray(value) ? [...before, ...value] : value;
      }
    } catch (error) {
      assert.ok(error instanceof Error); // not every value has a JSON form
      return undefined;
    }
  }
  for (const [key, value] of Object.entries(merged)) {
    if (Array.isArray(value)) merged[key] = Array.from({ length: times }, () => value).flat();
  }
  return Buffer.from(JSON.stringify(merged));
}
