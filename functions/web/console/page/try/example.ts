import {
  type DescField,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  ScalarType,
} from '@bufbuild/protobuf';

/**
 * Makes a request of a descriptor, to begin with: texts say their field's name, numbers are 1, lists have an element,
 * and of a oneof the first is chosen. Messages that need not be there are left out, and so are booleans: what they turn
 * on is unknown.
 */
export function exampleOf(desc: DescMessage): JsonObject {
  return messageExample(desc, []);
}

function messageExample(desc: DescMessage, within: readonly DescMessage[]): JsonObject {
  const example: JsonObject = {};
  for (const field of desc.fields) {
    if (field.oneof !== undefined && field.oneof.fields[0] !== field) continue;
    const value = fieldExample(field, [...within, desc]);
    if (value !== undefined) example[field.jsonName] = value;
  }
  return example;
}

function fieldExample(field: DescField, within: readonly DescMessage[]): JsonValue | undefined {
  if (field.fieldKind === 'scalar') return scalarExample(field.scalar, field.name);
  if (field.fieldKind !== 'list') return undefined;
  if (field.listKind === 'scalar') {
    const value = scalarExample(field.scalar, field.name);
    return value === undefined ? undefined : [value];
  }
  // One that holds itself would never end; a well-known one has a JSON form of its own.
  if (field.listKind !== 'message' || within.includes(field.message)) return undefined;
  if (field.message.typeName.startsWith('google.protobuf.')) return undefined;
  return [messageExample(field.message, within)];
}

function scalarExample(type: ScalarType, name: string): JsonValue | undefined {
  if (type === ScalarType.STRING) return name;
  if (type === ScalarType.BOOL || type === ScalarType.BYTES) return undefined;
  return isWide(type) ? '1' : 1;
}

/** Whether its numbers have 64 bits, and are texts in JSON. */
export function isWide(type: ScalarType): boolean {
  const { INT64, UINT64, SINT64, FIXED64, SFIXED64 } = ScalarType;
  return [INT64, UINT64, SINT64, FIXED64, SFIXED64].includes(type);
}
