import { create, type DescField, type DescMessage, type Message, mergeFromBinary } from '@bufbuild/protobuf';
import { isReflectList, isReflectMessage, reflect } from '@bufbuild/protobuf/reflect';
import { WireType } from '@bufbuild/protobuf/wire';
import { afterValue, afterVarint, varint, wireTypeAt } from './wire-format.ts';

/** How much is merged between two turns. */
const sliceBytes = 8 * 1024;
const sliceFields = 128;

/** Fields that the contract does not know are skipped: nobody reads them, and keeping them costs memory. */
export const binaryOptions = { readUnknownFields: false };

/** Some whole fields, or one that is larger than a slice and is a message. */
interface Slice {
  readonly end: number;
  readonly large:
    | { readonly field: DescField; readonly type: DescMessage; readonly lengthAt: number }
    | undefined;
}

/**
 * Reads a message that is too large to be read at once.
 *
 * @param bytes for which `measureBinary` has not thrown
 * @param turn awaited before each slice, if it is a promise
 * @throws what protobuf says of bytes that are not of the type
 */
export async function readBinary(
  type: DescMessage,
  bytes: Uint8Array,
  turn: () => Promise<void> | undefined,
): Promise<Message> {
  const message = create(type);
  await merge(type, message, bytes, turn);
  return message;
}

/**
 * What is cut between two fields and merged is the same message:
 * https://protobuf.dev/programming-guides/encoding/#last-one-wins
 */
async function merge(
  type: DescMessage,
  message: Message,
  bytes: Uint8Array,
  turn: () => Promise<void> | undefined,
): Promise<void> {
  for (let start = 0; start < bytes.length; ) {
    const pause = turn();
    if (pause !== undefined) await pause;
    const { end, large } = sliceAt(type, bytes, start);
    if (large === undefined) {
      mergeFromBinary(type, message, bytes.subarray(start, end), binaryOptions);
    } else {
      // It begins empty, and what is in it is merged in turns as well.
      const empty = [...bytes.subarray(start, large.lengthAt), 0];
      mergeFromBinary(type, message, Uint8Array.from(empty), binaryOptions);
      const contents = bytes.subarray(afterVarint(bytes, large.lengthAt), end);
      await merge(large.type, lastOf(large.field, type, message), contents, turn);
    }
    start = end;
  }
}

function sliceAt(type: DescMessage, bytes: Uint8Array, start: number): Slice {
  let at = start;
  for (let fields = 0; fields < sliceFields && at - start < sliceBytes && at < bytes.length; fields++) {
    const wireType = wireTypeAt(bytes, at);
    const valueAt = afterVarint(bytes, at);
    const end = afterValue(bytes, valueAt, wireType, 0);
    if (wireType === WireType.LengthDelimited && end - valueAt > sliceBytes) {
      const number = varint(bytes, at) >>> 3;
      const field = type.fields.find((it) => it.number === number);
      if (field?.message !== undefined && field.fieldKind !== 'map' && !isWellKnown(field.message)) {
        if (at > start) break;
        return { end, large: { field, type: field.message, lengthAt: valueAt } };
      }
    }
    at = end;
  }
  return { end: at, large: undefined };
}

/** Some of these are not the messages that their fields are made of, but texts or plain objects. */
function isWellKnown({ typeName }: DescMessage): boolean {
  return typeName.startsWith('google.protobuf.');
}

/** The message that a field has got last. */
function lastOf(field: DescField, type: DescMessage, message: Message): Message {
  const value = reflect(type, message).get(field);
  const last = isReflectList(value) ? value.get(value.size - 1) : value;
  if (!isReflectMessage(last)) throw new TypeError(`${field} is no message`);
  return last.message;
}
