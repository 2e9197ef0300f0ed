import { type JsonValue, ScalarType } from '@bufbuild/protobuf';
import { isWide } from './example.ts';

/** What a text means as a value of a field: its JSON, or why it means nothing. */
export type Checked = { readonly json: JsonValue; readonly error?: undefined } | { readonly error: string };

const names: Readonly<Record<ScalarType, string>> = {
  [ScalarType.DOUBLE]: 'double',
  [ScalarType.FLOAT]: 'float',
  [ScalarType.INT64]: 'int64',
  [ScalarType.UINT64]: 'uint64',
  [ScalarType.INT32]: 'int32',
  [ScalarType.FIXED64]: 'fixed64',
  [ScalarType.FIXED32]: 'fixed32',
  [ScalarType.BOOL]: 'bool',
  [ScalarType.STRING]: 'string',
  [ScalarType.BYTES]: 'bytes',
  [ScalarType.UINT32]: 'uint32',
  [ScalarType.SFIXED32]: 'sfixed32',
  [ScalarType.SFIXED64]: 'sfixed64',
  [ScalarType.SINT32]: 'sint32',
  [ScalarType.SINT64]: 'sint64',
};

/** The name of a scalar type in a proto. */
export function scalarName(type: ScalarType): string {
  return names[type];
}

/** Reads what somebody typed into the field of a scalar type. */
export function readScalar(type: ScalarType, text: string): Checked {
  switch (type) {
    case ScalarType.STRING:
      return text.isWellFormed() ? { json: text } : { error: 'must be well-formed Unicode' };
    case ScalarType.BOOL:
      return text === 'true' || text === 'false'
        ? { json: text === 'true' }
        : { error: 'must be true or false' };
    case ScalarType.BYTES:
      return isBase64(text) ? { json: text } : { error: 'must be base64' };
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return readFloat(type, text);
    default:
      return readInteger(type, text);
  }
}

function readFloat(type: ScalarType, text: string): Checked {
  if (['NaN', 'Infinity', '-Infinity'].includes(text)) return { json: text };
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) return { error: 'must be a number' };
  const isTooLarge = type === ScalarType.FLOAT && !Number.isFinite(Math.fround(value));
  return isTooLarge ? { error: 'must fit into 32 bits' } : { json: value };
}

function readInteger(type: ScalarType, text: string): Checked {
  const trimmed = text.trim();
  if (!/^-?\d+$/.test(trimmed)) return { error: 'must be a whole number' };
  const bits = isWide(type) ? 64n : 32n;
  const { UINT32, UINT64, FIXED32, FIXED64 } = ScalarType;
  const isUnsigned = [UINT32, UINT64, FIXED32, FIXED64].includes(type);
  const least = isUnsigned ? 0n : -(2n ** (bits - 1n));
  const most = isUnsigned ? 2n ** bits - 1n : 2n ** (bits - 1n) - 1n;
  const value = BigInt(trimmed);
  if (value < least || value > most) return { error: `must be ${least} to ${most}` };
  // JSON's numbers are exact to 53 bits, so those of 64 are texts.
  return { json: bits === 64n ? String(value) : Number(value) };
}

function isBase64(text: string): boolean {
  return /^[A-Za-z0-9+/_-]*={0,2}$/.test(text) && text.replace(/=+$/, '').length % 4 !== 1;
}
