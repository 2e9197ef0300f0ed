import type { Wire } from './transports.ts';

/** A message with the prefix that gRPC, gRPC-Web and the streams of Connect share. */
export interface Frame {
  /** 1: compressed; 2: the end of a Connect stream; 128: the trailers of gRPC-Web. */
  readonly flags: number;
  readonly payload: Buffer;
}

const prefixBytes = 5;

/** A message as it is on the wire. */
export function frame(payload: Uint8Array, flags = 0): Buffer {
  const prefix = Buffer.alloc(prefixBytes);
  prefix[0] = flags;
  prefix.writeUInt32BE(payload.length, 1);
  return Buffer.concat([prefix, payload]);
}

/** The frames that are whole. */
export function framesOf(bytes: Buffer): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at + prefixBytes <= bytes.length; ) {
    const end = at + prefixBytes + bytes.readUInt32BE(at + 1);
    if (end > bytes.length) break;
    frames.push({ flags: bytes[at] ?? 0, payload: bytes.subarray(at + prefixBytes, end) });
    at = end;
  }
  return frames;
}

/** Frames as they arrive; no chunk is read before the frames of the one before are taken. */
export async function* readFrames(chunks: AsyncIterable<Buffer>): AsyncGenerator<Frame> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    rest = Buffer.concat([rest, chunk]);
    for (const frame of framesOf(rest)) {
      rest = rest.subarray(prefixBytes + frame.payload.length);
      yield frame;
    }
  }
}

/** The content type of a protocol with protobuf messages, for a unary method or one with a stream. */
export function contentTypeOf({ protocol }: Wire, isUnary: boolean): string {
  if (protocol === 'connect') return isUnary ? 'application/proto' : 'application/connect+proto';
  return `application/${protocol}+proto`;
}

/** A message as a request of the protocol carries it. */
export function framed({ protocol }: Wire, isUnary: boolean, payload: Uint8Array): Buffer {
  return protocol === 'connect' && isUnary ? Buffer.from(payload) : frame(payload);
}
