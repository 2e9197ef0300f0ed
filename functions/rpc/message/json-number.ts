import { type DescField, type DescMessage, type JsonValue, ScalarType } from '@bufbuild/protobuf';

/** How JavaScript begins numbers that protobuf's JSON does not know (https://protobuf.dev/programming-guides/json/). */
const prefix = /^0[xob]/i;
const quotedPrefix = /"0[xob]/i;

/** Whether the text may have a string that `decimalsOnly` has to look at; most have none. */
export function mayHaveForeignNumber(text: string): boolean {
  return quotedPrefix.test(text);
}

/** The fields of a type by both of their names. */
const known = new WeakMap<DescMessage, ReadonlyMap<string, DescField>>();

function fieldsOf(type: DescMessage): ReadonlyMap<string, DescField> {
  let fields = known.get(type);
  if (fields === undefined) {
    fields = new Map(type.fields.flatMap((field) => [[field.jsonName, field] as const, [field.name, field]]));
    known.set(type, fields);
  }
  return fields;
}

/**
 * The same JSON, but a string such as "0x10" for a number is one that can't be read: protobuf-es 2.17.0 asks
 * JavaScript, which takes it for 16.
 */
export function decimalsOnly(type: DescMessage, json: JsonValue): JsonValue {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return json;
  const fields = fieldsOf(type);
  return Object.fromEntries(
    Object.entries(json).map(([name, value]) => {
      const field = fields.get(name);
      return [name, field ? ofField(field, value) : value];
    }),
  );
}

function ofField(field: DescField, json: JsonValue): JsonValue {
  if (Array.isArray(json)) return json.map((element) => ofField(field, element));
  if (field.fieldKind === 'map') {
    if (typeof json !== 'object' || json === null) return json;
    return Object.fromEntries(Object.entries(json).map(([key, value]) => [key, ofValue(field, value)]));
  }
  return ofValue(field, json);
}

function ofValue(field: DescField, json: JsonValue): JsonValue {
  if (field.message) return decimalsOnly(field.message, json);
  const isText = field.scalar === ScalarType.STRING || field.scalar === ScalarType.BYTES;
  const isForeign = !isText && typeof json === 'string' && prefix.test(json);
  return isForeign ? 'not a number' : json;
}
