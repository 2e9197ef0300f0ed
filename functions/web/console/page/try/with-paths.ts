import type { DescMessage, JsonValue } from '@bufbuild/protobuf';
import { isObject } from './json-text.ts';

/**
 * Writes each FieldMask of a request as a message with a list of paths: grpcurl 1.9.4 does not read the JSON that it
 * has, https://protobuf.dev/reference/protobuf/google.protobuf/#field-mask. One within a map stays as it is.
 */
export function withPaths(desc: DescMessage, json: JsonValue): JsonValue {
  if (typeof json === 'string' && desc.typeName === 'google.protobuf.FieldMask') {
    const paths = json.replace(/[A-Z]/g, (it) => `_${it.toLowerCase()}`).split(',');
    return { paths: paths.filter((it) => it !== '') };
  }
  if (Array.isArray(json)) return json.map((it) => withPaths(desc, it));
  if (!isObject(json)) return json;
  const entries = Object.entries(json).map(([key, value]) => {
    const field = desc.fields.find(({ name, jsonName }) => key === jsonName || key === name);
    const isMessage = field?.message !== undefined && field.fieldKind !== 'map';
    return [key, isMessage ? withPaths(field.message, value) : value];
  });
  return Object.fromEntries(entries);
}
