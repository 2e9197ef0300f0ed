import type { OutgoingHttpHeaders } from 'node:http2';
import { connectionHeaders } from '../connection-headers.ts';
import { staticPairs, staticTable } from './static-table.ts';

/** Names and whole fields that are encoded already; more than a server ever sends. */
const maxCached = 1_000;
/** Values that come again and again, such as a content type. An id of a call does not. */
const repeated = new Set(['content-type', 'grpc-status', 'grpc-encoding', 'allow', 'vary', 'cache-control']);

const names = new Map<string, Buffer>();
const fields = new Map<string, Buffer>();
/** The index of the static table's first pair with a name. */
const indexes = new Map<string, number>();
for (let index = staticPairs; index > 0; index--) indexes.set(staticTable[2 * index - 2] ?? '', index);

/**
 * Writes a field as HPACK (RFC 7541). It does not enter the table of the peer: literals with names that are encoded
 * once cost less than a table that must be searched. What comes again and again is for `LastingFields`.
 *
 * @param target must have room for `maxFieldBytes` of the field
 * @returns where the next one goes
 */
export function encodeField(name: string, value: string, target: Buffer, at: number): number {
  if (name === ':status') {
    const index = statusIndexes.get(value);
    if (index !== undefined) {
      target[at] = 0x80 | index; // section 6.1
      return at + 1;
    }
  }
  if (!repeated.has(name)) return encodeLiteral(name, value, target, at);
  const key = `${name}:${value}`;
  let field = fields.get(key);
  if (field === undefined) {
    field = Buffer.allocUnsafe(maxFieldBytes(name, value));
    field = field.subarray(0, encodeLiteral(name, value, field, 0));
    if (fields.size < maxCached) fields.set(key, field);
  }
  return copy(field, target, at);
}

/** What a field takes at most. */
export function maxFieldBytes(name: string, value: string): number {
  return name.length + value.length + 12;
}

/** Also what once asked a server of HTTP/1.1 for HTTP/2. */
const unsendable = new Set([...connectionHeaders, 'http2-settings']);

const statusIndexes = new Map([
  ['200', 8],
  ['204', 9],
  ['206', 10],
  ['304', 11],
  ['400', 12],
  ['404', 13],
  ['500', 14],
]);

/** Section 6.2.2: a literal without indexing, its texts as they are. */
function encodeLiteral(name: string, value: string, target: Buffer, at: number): number {
  let prefix = names.get(name);
  if (prefix === undefined) {
    prefix = encodedName(name);
    if (names.size < maxCached) names.set(name, prefix);
  }
  return encodeText(value, target, copy(prefix, target, at));
}

/** Section 5.2: as it is. Returns where the next one goes. */
export function encodeText(text: string, target: Buffer, at: number): number {
  let next = encodeInteger(text.length, 0x7f, 0, target, at);
  if (text.length > 64) return next + target.write(text, next, 'latin1');
  for (let index = 0; index < text.length; index++) target[next++] = text.charCodeAt(index);
  return next;
}

/** A name is checked once: whoever sets a header that HTTP/2 has no place for hears of it (RFC 9113 section 8.2.2). */
function encodedName(name: string): Buffer {
  if (unsendable.has(name)) throw new TypeError(`HTTP/2 can't send the header ${name}`);
  const bytes = Buffer.allocUnsafe(name.length + 6);
  const index = indexes.get(name);
  if (index !== undefined) return bytes.subarray(0, encodeInteger(index, 0x0f, 0, bytes, 0));
  bytes[0] = 0;
  return bytes.subarray(0, encodeText(name, bytes, 1));
}

/** Section 5.1: `pattern` is what the bits beside `mask` say. Returns where the next byte goes. */
export function encodeInteger(
  value: number,
  mask: number,
  pattern: number,
  target: Buffer,
  at: number,
): number {
  if (value < mask) {
    target[at] = pattern | value;
    return at + 1;
  }
  target[at++] = pattern | mask;
  for (let rest = value - mask; ; rest >>>= 7) {
    if (rest < 0x80) {
      target[at] = rest;
      return at + 1;
    }
    target[at++] = (rest & 0x7f) | 0x80;
  }
}

/** Byte by byte: for so few a view costs more. */
function copy(source: Buffer, target: Buffer, at: number): number {
  for (let index = 0; index < source.length; index++) target[at + index] = source[index] ?? 0;
  return at + source.length;
}

/** Trailers as fields that can be encoded: names and values in turn. */
export function fieldsOf(trailers: OutgoingHttpHeaders): string[] {
  const fields: string[] = [];
  for (const name in trailers) {
    const value = trailers[name];
    if (Array.isArray(value)) for (const one of value) fields.push(name, one);
    else if (value !== undefined) fields.push(name, String(value));
  }
  return fields;
}
