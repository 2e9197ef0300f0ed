import {
  create,
  type DescField,
  type DescMessage,
  type MessageInitShape,
  type MessageShape,
  ScalarType,
} from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import fc from 'fast-check';
import { MetadataSchema } from '../gen/echo_pb.js';

const text = fc.oneof(fc.string({ maxLength: 12 }), fc.string({ unit: 'grapheme', maxLength: 6 }));

/** Any message of a type. What it holds is in lists of up to `maxElements`, and in messages `depth` deep. */
export function messagesOf<T extends DescMessage>(
  type: T,
  { depth = 2, maxElements = 4 } = {},
): fc.Arbitrary<MessageShape<T>> {
  const size = { depth: depth - 1, maxElements };
  const members = type.members.flatMap((member): [string, fc.Arbitrary<unknown>][] => {
    if (member.kind === 'field') {
      return holdsMessage(member) && depth === 0 ? [] : [[member.localName, valuesOf(member, size)]];
    }
    const cases = member.fields
      .filter((field) => !holdsMessage(field) || depth > 0)
      .map((field) => valuesOf(field, size).map((value) => ({ case: field.localName, value })));
    return [[member.localName, fc.oneof(...cases)]];
  });
  return fc
    .record(Object.fromEntries(members), { requiredKeys: [] })
    .map((init) => create(type, init as MessageInitShape<T>)); // its members are named after those of the type
}

function holdsMessage({ message }: DescField): boolean {
  return message !== undefined;
}

function valuesOf(field: DescField, size: { depth: number; maxElements: number }): fc.Arbitrary<unknown> {
  const value = oneValueOf(field, size);
  if (field.fieldKind === 'list') return fc.array(value, { maxLength: size.maxElements });
  if (field.fieldKind !== 'map') return value;
  const key = field.mapKey === ScalarType.BOOL ? fc.boolean().map(String) : keyOf(field.mapKey);
  return fc.dictionary(key, value, { maxKeys: size.maxElements });
}

function keyOf(scalar: ScalarType): fc.Arbitrary<string> {
  return scalar === ScalarType.STRING ? text : fc.nat().map(String);
}

function oneValueOf(field: DescField, size: { depth: number; maxElements: number }): fc.Arbitrary<unknown> {
  const { message, scalar } = field;
  if (message?.typeName === 'google.protobuf.Struct' && field.parent.typeName !== 'google.protobuf.Value') {
    return fc.dictionary(text, fc.oneof(text, fc.integer(), fc.constant(null)), { maxKeys: 3 });
  }
  if (message?.typeName === 'google.protobuf.StringValue' && field.fieldKind === 'message') return text;
  if (message?.typeName === 'google.protobuf.Any') {
    return messagesOf(MetadataSchema).map((it) => anyPack(MetadataSchema, it));
  }
  if (message !== undefined) return messagesOf(message, size);
  switch (scalar) {
    case undefined:
      return fc.integer({ min: 0, max: 2 });
    case ScalarType.STRING:
      return text;
    case ScalarType.BYTES:
      return fc.uint8Array({ maxLength: 12 });
    case ScalarType.BOOL:
      return fc.boolean();
    case ScalarType.DOUBLE:
      return fc.double();
    case ScalarType.UINT32:
      return fc.nat(0xff_ff_ff_ff);
    case ScalarType.INT64:
    case ScalarType.UINT64:
      return fc.bigInt({ min: 0n, max: 2n ** 63n - 1n });
    default:
      return fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
  }
}

const number = fc.oneof(fc.nat(9), fc.nat(31), fc.nat(2 ** 29 - 1));
const wireType = fc.oneof({ weight: 8, arbitrary: fc.constantFrom(0, 2) }, fc.nat(7));
/** Zeros at its end that say nothing, as many as any, make a varint too long. */
const padding = fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, fc.nat(12));
/** Lengths that are not that of what follows. */
const slip = fc.oneof(
  { weight: 9, arbitrary: fc.constant(0) },
  fc.integer({ min: -3, max: 3 }),
  fc.integer(),
);

/** Bytes that look like a message, of fields with any number and type, often nested; some are broken. */
export const hostileBytes: fc.Arbitrary<Buffer> = fc.letrec<{ fields: Buffer; field: Buffer }>((tie) => ({
  fields: fc
    .array(tie('field'), { maxLength: 8, depthIdentifier: 'nesting' })
    .map((fields) => Buffer.concat(fields)),
  field: fc.oneof(
    { maxDepth: 5, depthIdentifier: 'nesting' },
    fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes)),
    fc
      .constantFrom('0a00', '1a00', '3200', '0800', '2a021a00', 'b201020102')
      .map((hex) => Buffer.from(hex, 'hex')),
    fc
      .tuple(number, wireType, tie('fields'), fc.bigInt({ min: 0n, max: 2n ** 70n }), padding, slip)
      .map(([no, type, content, value, zeros, error]) => fieldOf(no, type, content, value, zeros, error)),
  ),
})).fields;

function fieldOf(
  no: number,
  type: number,
  content: Buffer,
  value: bigint,
  zeros: number,
  error: number,
): Buffer {
  const tag = varintOf(BigInt(no) * 8n + BigInt(type), zeros === 1 ? 1 : 0);
  switch (type) {
    case 0:
      return Buffer.concat([tag, varintOf(value, zeros)]);
    case 1:
      return Buffer.concat([tag, Buffer.concat([content, Buffer.alloc(8)], 8)]);
    case 2:
      return Buffer.concat([tag, varintOf(BigInt(Math.max(0, content.length + error)), zeros), content]);
    case 3:
      return Buffer.concat([tag, content, varintOf(BigInt(no) * 8n + 4n, 0)]);
    case 5:
      return Buffer.concat([tag, Buffer.concat([content, Buffer.alloc(4)], 4)]);
    default:
      return tag;
  }
}

/** A varint with so many zeros more than it needs. */
export function varintOf(value: bigint, zeros = 0): Buffer {
  const bytes: number[] = [];
  for (let rest = value; rest > 0n || bytes.length === 0; rest >>= 7n) bytes.push(Number(rest & 0x7fn));
  for (let zero = 0; zero < zeros; zero++) bytes.push(0);
  return Buffer.from(bytes.map((byte, at) => (at < bytes.length - 1 ? byte | 0x80 : byte)));
}
