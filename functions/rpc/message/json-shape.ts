import { type DescField, type DescMessage, type Registry, ScalarType } from '@bufbuild/protobuf';
import { AnySchema } from '@bufbuild/protobuf/wkt';
import { emptyMessageBytes, firstElementBytes, mapEntryBytes, numberBytes } from './heap-shape.ts';

/** What the parts of a JSON text become at most, in bytes of the heap: parsed values, and messages made of them. */
export interface JsonShape {
  /** Of an empty message. */
  readonly messageBytes: number;
  readonly objectBytes: number;
  readonly arrayBytes: number;
  readonly valueBytes: number;
  /** Of what is within texts, numbers and keys. */
  readonly heapBytesPerByte: number;
  /** How many keys an object may have; infinite where there are maps. */
  readonly maxKeys: number;
}

/*
 * What JSON.parse makes: measured with Node 24, and held to by test/rpc/message/measure-heap.test.ts.
 */
const parsedValueBytes = 64;
/** Texts as they come and as they are parsed. */
const parsedBytesPerByte = 4;
/** Bytes in base64 get a buffer of their own. */
const decodedBytesBytes = 256;
/** A path of a FieldMask is a text of its own, and takes two bytes in one. */
const fieldMaskBytesPerByte = 24;

/**
 * What JSON of a message of this type becomes. Any value may be of any type that is in it.
 *
 * @param registry the types that a google.protobuf.Any may hold: it is made of one of these, for a moment
 */
export function jsonShape(type: DescMessage, registry: Registry): JsonShape {
  const types = [...typesIn(type)];
  const anyTypes = types.some(isAny) ? [...registry].filter((it) => it.kind === 'message') : [];
  const all = [...types, ...anyTypes];
  const messageBytes =
    Math.max(0, ...all.map(emptyMessageBytes)) + (anyTypes.length > 0 ? decodedBytesBytes : 0);
  const plainBytes = all.filter(isPlain).map(emptyMessageBytes);
  const fieldBytes = [type, ...types.filter((it) => !isAny(it))].flatMap(({ fields }) =>
    fields.map(valueBytesOf),
  );
  const valueBytes = parsedValueBytes + Math.max(0, ...plainBytes) + Math.max(0, ...fieldBytes);
  const hasFieldMask = [type, ...all].some(({ typeName }) => typeName === 'google.protobuf.FieldMask');
  return {
    messageBytes: emptyMessageBytes(type),
    objectBytes: messageBytes + valueBytes,
    arrayBytes: firstElementBytes + valueBytes,
    valueBytes,
    heapBytesPerByte: parsedBytesPerByte + (hasFieldMask ? fieldMaskBytesPerByte : 0),
    maxKeys: Math.max(...[type, ...all].map(maxKeysOf)),
  };
}

/** One for each field, and one for the type that an Any says; within a map, there may be any. */
function maxKeysOf({ fields }: DescMessage): number {
  const hasMap = fields.some(({ fieldKind }) => fieldKind === 'map');
  return hasMap ? Number.POSITIVE_INFINITY : fields.length + 1;
}

/** The types that are in a message, itself only if it may be in itself. */
export function typesIn(type: DescMessage): Set<DescMessage> {
  const types = new Set<DescMessage>();
  const addOf = ({ fields }: DescMessage) => {
    for (const { message } of fields) {
      if (message === undefined || types.has(message)) continue;
      types.add(message);
      addOf(message);
    }
  };
  addOf(type);
  return types;
}

/** Whether JSON may have a text, a number or an array for it: https://protobuf.dev/programming-guides/json/ */
function isPlain({ typeName }: DescMessage): boolean {
  return typeName.startsWith('google.protobuf.') && typeName !== AnySchema.typeName;
}

function isAny({ typeName }: DescMessage): boolean {
  return typeName === AnySchema.typeName;
}

function valueBytesOf(field: DescField): number {
  const { scalar } = field;
  const ofEntry = field.fieldKind === 'map' ? mapEntryBytes : 0;
  if (scalar === undefined) return ofEntry;
  return ofEntry + (scalar === ScalarType.BYTES ? decodedBytesBytes : numberBytes(scalar));
}
