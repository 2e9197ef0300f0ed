import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { WireType } from '@bufbuild/protobuf/wire';

/*
 * What protobuf-es makes of a message, in bytes of the heap at most: measured with Node 24, and held to by
 * test/rpc/message/measure-heap.test.ts.
 */
const objectBytes = 64;
const memberBytes = 16;
/** Objects with more members are hash tables. */
const maxPlainMembers = 12;
const hashedMemberBytes = 80;
const listBytes = 32;
const mapBytes = 64;
export const mapEntryBytes = 160;
const oneofBytes = 56;
const textBytes = 32;
const byteArrayBytes = 120;
/** Of an element's place in its list. */
const placeBytes = 16;
/** Of the places that a list gets with its first element. */
export const firstElementBytes = 160;

/** What the fields of a message become. */
export type MessageShape = ReadonlyMap<number, FieldShape>;

/** What the values of a field become. */
export interface FieldShape {
  /** `undefined` for the key and the value of a map entry. */
  readonly field: DescField | undefined;
  /** How each value is on the wire, unless they are packed. */
  readonly wireType: WireType;
  readonly isList: boolean;
  /** Whether the values of a list may come as one, packed. */
  readonly isPackable: boolean;
  /** Whether each value is an object: a message, a map entry, text or bytes. */
  readonly isObject: boolean;
  /** Of each value, without what is in it. */
  readonly heapBytes: number;
  /** Of the message or map entry that each value is; made when first needed, since types refer to each other. */
  readonly message: (() => MessageShape) | undefined;
}

const known = new WeakMap<DescMessage, MessageShape>();

/** What the fields of a message of this type become. */
export function shapeOf(type: DescMessage): MessageShape {
  let shape = known.get(type);
  if (shape === undefined) {
    shape = new Map(type.fields.map((field) => [field.number, fieldShape(field)]));
    known.set(type, shape);
  }
  return shape;
}

/** What an empty message takes, with room for the numbers that it may get. */
export function emptyMessageBytes(type: DescMessage): number {
  const { members } = type;
  let bytes =
    objectBytes + members.length * (members.length > maxPlainMembers ? hashedMemberBytes : memberBytes);
  for (const member of members) {
    if (member.kind === 'oneof') bytes += oneofBytes + Math.max(...member.fields.map(emptyFieldBytes));
    else bytes += emptyFieldBytes(member);
  }
  return bytes;
}

function emptyFieldBytes(field: DescField): number {
  switch (field.fieldKind) {
    case 'list':
      return listBytes;
    case 'map':
      return mapBytes;
    case 'scalar':
      return numberBytes(field.scalar);
    default:
      return 0;
  }
}

/** What a number takes besides its place: those of 64 bits are bigints, or texts. */
export function numberBytes(scalar: ScalarType): number {
  switch (scalar) {
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
    case ScalarType.FLOAT:
    case ScalarType.DOUBLE:
      return 16;
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.SINT64:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return 40;
    default:
      return 0;
  }
}

function fieldShape(field: DescField): FieldShape {
  if (field.fieldKind === 'map') return mapShape(field);
  const isList = field.fieldKind === 'list';
  const shape = valueShape(field);
  if (!isList) return { ...shape, field };
  // Numbers that are no elements have their room in the message.
  const ofNumber = field.scalar === undefined ? 0 : numberBytes(field.scalar);
  const heapBytes = placeBytes + shape.heapBytes + ofNumber;
  return { ...shape, field, isList, isPackable: !shape.isObject, heapBytes };
}

function valueShape(field: Exclude<DescField, { fieldKind: 'map' }>): FieldShape {
  if (field.message !== undefined) return messageShape(field.message, field.delimitedEncoding);
  return field.scalar === undefined ? enumShape : scalarShape(field.scalar);
}

const enumShape: FieldShape = {
  field: undefined,
  wireType: WireType.Varint,
  isList: false,
  isPackable: false,
  isObject: false,
  heapBytes: 0,
  message: undefined,
};

function scalarShape(scalar: ScalarType): FieldShape {
  const shape = { ...enumShape, wireType: wireTypeOf(scalar) };
  if (scalar === ScalarType.STRING) return { ...shape, isObject: true, heapBytes: textBytes };
  if (scalar === ScalarType.BYTES) return { ...shape, isObject: true, heapBytes: byteArrayBytes };
  return shape;
}

function messageShape(type: DescMessage, isGroup: boolean): FieldShape {
  return {
    ...enumShape,
    wireType: isGroup ? WireType.StartGroup : WireType.LengthDelimited,
    isObject: true,
    heapBytes: emptyMessageBytes(type),
    message: () => shapeOf(type),
  };
}

/** A value that does not come is made all the same. */
function mapShape(field: DescField & { fieldKind: 'map' }): FieldShape {
  const { message, scalar } = field;
  const key = scalarShape(field.mapKey);
  const text = scalar === undefined ? enumShape : scalarShape(scalar);
  const value = message === undefined ? text : messageShape(message, false);
  const entry = new Map([
    [1, key],
    [2, value],
  ]);
  return {
    ...enumShape,
    field,
    wireType: WireType.LengthDelimited,
    isObject: true,
    heapBytes: mapEntryBytes + value.heapBytes,
    message: () => entry,
  };
}

function wireTypeOf(scalar: ScalarType): WireType {
  switch (scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return WireType.LengthDelimited;
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
    case ScalarType.DOUBLE:
      return WireType.Bit64;
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
    case ScalarType.FLOAT:
      return WireType.Bit32;
    default:
      return WireType.Varint;
  }
}
