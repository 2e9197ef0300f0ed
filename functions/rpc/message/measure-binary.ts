import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { rpcError } from '../errors.ts';
import { Measure, type MeasureLimits, maxDepth } from './measure.ts';

/** What decoding makes at most, in bytes of the heap: measured with Node 24, and held to by test/rpc/message. */
const heapBytesPerByte = 2; // text beyond Latin-1
const heapBytesPerMessage = 112;
const heapBytesPerText = 40;

/** What a field takes on the heap, as far as it is length-delimited: messages, or text and bytes. */
type Contents = Fields | 'text';
/** The fields of a message type that take objects, by number; made when first needed, since types refer to each other. */
interface Fields {
  readonly contents: ReadonlyMap<number, () => Contents>;
}

const known = new WeakMap<DescMessage, Fields>();

/**
 * Counts what a message in protobuf would become, for the price of reading its tags.
 *
 * @returns how many bytes of the heap the decoded message takes at most
 * @throws as `Measure.check`; BAD_MESSAGE for messages nested too deeply. Other faults of the bytes are left to the decoder
 */
export function measureBinary(type: DescMessage, bytes: Uint8Array, limits: MeasureLimits): number {
  const measure = new Measure(limits);
  measureMessage(fieldsOf(type), bytes, 0, bytes.length, 0, measure);
  measure.check();
  return heapBytesPerMessage + heapBytesPerByte * bytes.length + measure.heapBytes;
}

function measureMessage(
  fields: Fields,
  bytes: Uint8Array,
  start: number,
  end: number,
  depth: number,
  measure: Measure,
): void {
  if (depth > maxDepth) throw rpcError('BAD_MESSAGE');
  let at = start;
  while (at < end) {
    const tag = varint(bytes, at);
    at = afterVarint(bytes, at);
    switch (tag & 7) {
      case 0:
        at = afterVarint(bytes, at);
        break;
      case 1:
        at += 8;
        break;
      case 2: {
        const length = varint(bytes, at);
        at = afterVarint(bytes, at);
        const number = tag >>> 3;
        const contents = fields.contents.get(number)?.();
        if (contents !== undefined) {
          measure.add(contents === 'text' ? heapBytesPerText : heapBytesPerMessage);
          if (depth === 0) measure.addElementOf(hasNumber, number);
          if (contents !== 'text' && length > 0 && !measure.isOver) {
            measureMessage(contents, bytes, at, Math.min(at + length, end), depth + 1, measure);
          }
        }
        at += length;
        break;
      }
      case 3: // a group: its fields follow, and count as if they were the message's own
        measure.add(heapBytesPerMessage);
        break;
      case 5:
        at += 4;
        break;
      default:
    }
  }
}

// Made once: a closure for each element would cost as much as the rest of measuring it.
const hasNumber = (field: DescField, number: number) => field.number === number;

/** The low 32 bits of a varint: tags and lengths have no more. */
function varint(bytes: Uint8Array, from: number): number {
  let byte = bytes[from] ?? 0;
  let value = byte & 0x7f;
  for (let at = from + 1, shift = 7; byte >= 0x80 && shift < 32; at++, shift += 7) {
    byte = bytes[at] ?? 0;
    value |= (byte & 0x7f) << shift;
  }
  return value >>> 0;
}

/** Where a varint ends. */
export function afterVarint(bytes: Uint8Array, from: number): number {
  let at = from;
  while ((bytes[at] ?? 0) >= 0x80) at++;
  return at + 1;
}

function fieldsOf(type: DescMessage): Fields {
  let fields = known.get(type);
  if (fields === undefined) {
    const contents = new Map<number, () => Contents>();
    for (const field of type.fields) {
      const get = contentsOf(field);
      if (get !== undefined) contents.set(field.number, get);
    }
    fields = { contents };
    known.set(type, fields);
  }
  return fields;
}

const text = () => 'text' as const;

/** `undefined` for numbers and enums, which are packed or take no object each. */
function contentsOf(field: DescField): (() => Contents) | undefined {
  switch (field.fieldKind) {
    case 'message':
      return () => fieldsOf(field.message);
    case 'map': {
      const value = field.mapKind === 'message' ? field.message : undefined;
      const entry = { contents: new Map([[2, value === undefined ? text : () => fieldsOf(value)]]) };
      return () => entry;
    }
    case 'list':
      if (field.listKind === 'message') return () => fieldsOf(field.message);
      return field.listKind === 'scalar' && !field.packed ? text : undefined;
    case 'scalar':
      return text;
    default:
      return undefined;
  }
}
