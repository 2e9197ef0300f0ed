import { create, createFileRegistry, type DescMessage, type Message, toBinary } from '@bufbuild/protobuf';
import {
  FileDescriptorProtoSchema,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from '@bufbuild/protobuf/wkt';

/** What holds several messages of a type: `message Batch { repeated TYPE messages = 1; }`. */
const wrappers = new WeakMap<DescMessage, DescMessage>();

/**
 * Serializes messages of one type together. Making buffers is most of the work of serializing a message of a
 * few fields; messages that are wrapped into one share its buffers.
 *
 * @returns for each message a tag of one byte, its length as a varint, and the message
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

/** Calls back with where each message of a batch begins and ends. */
export function eachOfBatch(batch: Uint8Array, take: (start: number, end: number) => void): void {
  let at = 0;
  while (at < batch.length) {
    at += 1; // the tag: field 1, length-delimited
    let length = 0;
    let byte = 0x80;
    for (let shift = 0; byte >= 0x80; shift += 7) {
      byte = batch[at++] ?? 0;
      length |= (byte & 0x7f) << shift;
    }
    take(at, at + length);
    at += length;
  }
}

function createWrapper(type: DescMessage): DescMessage {
  const messages = {
    name: 'messages',
    jsonName: 'messages',
    number: 1,
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
