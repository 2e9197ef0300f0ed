import { WireType } from '@bufbuild/protobuf/wire';
import { rpcError } from '../errors.ts';

/** Messages within messages, as protobuf's own parsers allow: https://protobuf.dev/programming-guides/proto-limits/ */
export const maxDepth = 100;

/** The low 32 bits of a varint: tags and lengths have no more. */
export function varint(bytes: Uint8Array, from: number): number {
  let byte = bytes[from] ?? 0;
  if (byte < 0x80) return byte;
  let value = byte & 0x7f;
  for (let at = from + 1, shift = 7; byte >= 0x80 && shift < 32; at++, shift += 7) {
    byte = bytes[at] ?? 0;
    value |= (byte & 0x7f) << shift;
  }
  return value >>> 0;
}

/** Where a varint ends; beyond the bytes if they end before it does. */
export function afterVarint(bytes: Uint8Array, from: number): number {
  let at = from;
  while ((bytes[at] ?? 0) >= 0x80) at++;
  return at + 1;
}

/**
 * Where the value of a field ends that begins right after its tag; perhaps beyond the bytes.
 *
 * @param depth of the message that the field is in
 * @throws BAD_MESSAGE for a group that does not end, or is nested too deeply
 */
export function afterValue(bytes: Uint8Array, from: number, wireType: number, depth: number): number {
  switch (wireType) {
    case WireType.Varint:
      return afterVarint(bytes, from);
    case WireType.Bit64:
      return from + 8;
    case WireType.LengthDelimited:
      return afterVarint(bytes, from) + varint(bytes, from);
    case WireType.StartGroup:
      return afterGroup(bytes, from, depth + 1);
    case WireType.Bit32:
      return from + 4;
    default:
      throw rpcError('BAD_MESSAGE');
  }
}

function afterGroup(bytes: Uint8Array, from: number, depth: number): number {
  if (depth > maxDepth) throw rpcError('BAD_MESSAGE');
  for (let at = from; at < bytes.length; ) {
    const wireType = wireTypeAt(bytes, at);
    const valueAt = afterVarint(bytes, at);
    if (wireType === WireType.EndGroup) return valueAt;
    at = afterValue(bytes, valueAt, wireType, depth);
  }
  throw rpcError('BAD_MESSAGE');
}

/** The wire type that a tag says. */
export function wireTypeAt(bytes: Uint8Array, tagAt: number): number {
  return (bytes[tagAt] ?? 0) & 7;
}
