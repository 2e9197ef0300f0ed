import { create, createFileRegistry, type DescMessage, type Message, toBinary } from '@bufbuild/protobuf';
import {
  FileDescriptorProtoSchema,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from '@bufbuild/protobuf/wkt';

/**
 * What holds several messages of a type: `message Batch { repeated TYPE messages = 262144; }`. Its number makes the tag
 * four bytes long (https://protobuf.dev/programming-guides/encoding/#structure), so that tag and length of a message
 * below 128 bytes take as much room as gRPC's prefix.
 */
const fieldNumber = 2 ** 18;
const tagBytes = 4;
const wrappers = new WeakMap<DescMessage, DescMessage>();

/**
 * Serializes messages of one type together. Making buffers is most of the work of serializing a message of a
 * few fields; messages that are wrapped into one share its buffers.
 *
 * @returns for each message a tag of four bytes, its length as a varint, and the message
 */
export function serializeBatch(type: DescMessage, messages: readonly Message[]): Uint8Array {
  let wrapper = wrappers.get(type);
  if (wrapper === undefined) {
    wrapper = createWrapper(type);
    wrappers.set(type, wrapper);
  }
  const batch: Message & { messages: readonly Message[] } = { $typeName: wrapper.typeName, messages };
  return toBinary(wrapper, batch);
}

/**
 * Puts gRPC's prefix of five bytes in the place of tag and length, from `start` on, as far as the messages have fewer
 * than 128 bytes.
 *
 * @returns where the first other one begins, or the batch ends, and how many messages come before
 */
export function frameSmall(batch: Uint8Array, start: number): { end: number; messages: number } {
  let end = start;
  let messages = 0;
  while (end < batch.length) {
    const length = batch[end + tagBytes] ?? 0;
    if (length >= 0x80) break;
    // The last of the four bytes of the length is there already.
    for (let at = end; at < end + tagBytes; at += 1) batch[at] = 0;
    end += tagBytes + 1 + length;
    messages += 1;
  }
  return { end, messages };
}

/** Where the message begins whose tag is at `start`, and where it ends. */
export function placeOf(batch: Uint8Array, start: number): { from: number; to: number } {
  let from = start + tagBytes;
  let length = 0;
  let byte = 0x80;
  for (let shift = 0; byte >= 0x80; shift += 7) {
    byte = batch[from++] ?? 0;
    length |= (byte & 0x7f) << shift;
  }
  return { from, to: from + length };
}

function createWrapper(type: DescMessage): DescMessage {
  const messages = {
    name: 'messages',
    jsonName: 'messages',
    number: fieldNumber,
    label: Label.REPEATED,
    type: Type.MESSAGE,
    typeName: `.${type.typeName}`,
  };
  const file = create(FileDescriptorProtoSchema, {
    name: 'rpc/batch.proto',
    package: 'rpc.batch',
    syntax: 'proto3',
    dependency: [type.file.proto.name],
    messageType: [{ name: 'Batch', field: [messages] }],
  });
  const wrapper = createFileRegistry(file, () => type.file).getMessage('rpc.batch.Batch');
  if (wrapper === undefined) throw new Error(`no batch can be made of ${type.typeName}`);
  return wrapper;
}
