import assert from 'node:assert/strict';
import type { RawAnswer, RawCall } from './raw-call.ts';

/** The bytes of a text whose segments are padded each for itself. */
export function decode(text: string): Buffer {
  assert.equal(text.length % 4, 0, 'the text ends in the middle of a group');
  const groups = text.match(/.{4}/gs) ?? [];
  return Buffer.concat(groups.map((group) => Buffer.from(atob(group), 'latin1')));
}

/** Bytes as a text, with its padding. */
export const encode = (bytes: Uint8Array) => Buffer.from(Buffer.from(bytes).toString('base64'));

/** The same call with base64 for bytes, each step padded for itself. */
export function asText(call: RawCall): RawCall {
  const type = String(call.headers['content-type']).replace('grpc-web', 'grpc-web-text');
  const body = call.body.map((it) => (Buffer.isBuffer(it) ? encode(it) : it));
  const headers = { ...call.headers, 'content-type': type };
  const bytes = body.reduce<number>((sum, it) => sum + (Buffer.isBuffer(it) ? it.length : 0), 0);
  return {
    ...call,
    headers: 'content-length' in headers ? { ...headers, 'content-length': bytes } : headers,
    body,
  };
}

/** The same answer with bytes for base64. */
export function asBytes(answer: RawAnswer): RawAnswer {
  const type = String(answer.headers['content-type']);
  assert.match(type, /^application\/grpc-web-text\+(proto|json)$/);
  const headers = { ...answer.headers, 'content-type': type.replace('-text', '') };
  const body = decode(answer.body.toString('latin1'));
  if (headers['content-length'] === undefined) return { ...answer, headers, body };
  assert.equal(Number(headers['content-length']), answer.body.length);
  return { ...answer, headers: { ...headers, 'content-length': String(body.length) }, body };
}
