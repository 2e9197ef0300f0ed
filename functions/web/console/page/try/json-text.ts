import type { JsonObject, JsonValue } from '@bufbuild/protobuf';

/** JSON that was read, or why it can't be. */
export type ReadJson =
  | { readonly json: JsonValue; readonly error?: undefined }
  | { readonly json?: undefined; readonly error: string };

/**
 * Reads JSON. Whole numbers that a JavaScript number can't hold become texts, which is how ProtoJSON writes 64 bits: so
 * nobody's 64-bit number is rounded on its way.
 */
export function readJson(text: string): ReadJson {
  // The third argument is of ES2026; where it is missing, numbers stay as they are.
  const keepDigits = (_key: string, value: unknown, context?: { source?: string }) =>
    typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? '')
      ? context?.source
      : value;
  try {
    return { json: JSON.parse(text, keepDigits) };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

/** Whether it is an object, neither a list nor null. */
export function isObject(json: JsonValue | undefined): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}
