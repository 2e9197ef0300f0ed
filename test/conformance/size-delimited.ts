import type { Readable } from 'node:stream';
import { type DescMessage, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf';

/** Reads the messages that the conformance runner writes: each after its length, 4 bytes, big-endian. */
export async function* readMessages<T extends DescMessage>(
  schema: T,
  from: Readable,
): AsyncIterable<MessageShape<T>> {
  let buffer = Buffer.alloc(0);
  for await (const chunk of from) {
    buffer = Buffer.concat([buffer, chunk]);
    while (buffer.length >= 4) {
      const end = 4 + buffer.readUInt32BE(0);
      if (buffer.length < end) break;
      yield fromBinary(schema, buffer.subarray(4, end));
      buffer = buffer.subarray(end);
    }
  }
}

/** A message as the conformance runner reads it. */
export function sizeDelimited<T extends DescMessage>(schema: T, message: MessageShape<T>): Uint8Array {
  const bytes = toBinary(schema, message);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
