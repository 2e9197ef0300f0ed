import {
  type DescMessage,
  fromJson,
  type JsonObject,
  type JsonReadOptions,
  type JsonValue,
  type Message,
  mergeFromJson,
} from '@bufbuild/protobuf';

/** How many elements of a list are merged between two turns. */
const sliceElements = 128;

/**
 * Makes a message of JSON that is too large for one turn: of all but its long lists first, and then these, slice by
 * slice. What is within a field is bounded by what `measureJson` lets through.
 *
 * @param prepare what is done to JSON of the type before a message is made of it
 * @param turn awaited before each slice, if it is a promise
 * @throws what protobuf says of JSON that is not of the type
 */
export async function readJson(
  type: DescMessage,
  json: JsonValue,
  options: Partial<JsonReadOptions>,
  prepare: (json: JsonValue) => JsonValue,
  turn: () => Promise<void> | undefined,
): Promise<Message> {
  if (!isObject(json)) return fromJson(type, prepare(json), options);
  const lists = Object.entries(json).filter((entry) => isLongList(type, entry));
  // Emptied, they are still seen where a field comes by both of its names.
  const emptied = Object.fromEntries(lists.map(([key]) => [key, []]));
  const message = fromJson(type, prepare({ ...json, ...emptied }), options);
  for (const [key, elements] of lists) {
    for (let start = 0; start < elements.length; start += sliceElements) {
      const pause = turn();
      if (pause !== undefined) await pause;
      const slice = { [key]: elements.slice(start, start + sliceElements) };
      mergeFromJson(type, message, prepare(slice), options);
    }
  }
  return message;
}

function isObject(json: JsonValue): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

function isLongList(type: DescMessage, entry: [string, JsonValue]): entry is [string, JsonValue[]] {
  const [key, value] = entry;
  if (!Array.isArray(value) || value.length <= sliceElements) return false;
  const field = type.fields.find(({ jsonName, name }) => key === jsonName || key === name);
  return field?.fieldKind === 'list' && !type.typeName.startsWith('google.protobuf.');
}
