import {
  create,
  type DescMessage,
  fromBinary,
  fromJson,
  type JsonObject,
  type JsonValue,
  type Message,
  mergeFromBinary,
  mergeFromJson,
  type Registry,
  toBinary,
  toJsonString,
} from '@bufbuild/protobuf';
import { isFieldError } from '@bufbuild/protobuf/reflect';
import type { Turns } from '../call/turns.ts';
import { canceled, rpcError } from '../errors.ts';
import { decimalsOnly, mayHaveForeignNumber } from './json-number.ts';
import type { MeasureLimits } from './measure.ts';
import { afterVarint, measureBinary } from './measure-binary.ts';
import { measureJson } from './measure-json.ts';

/** Reads and writes the messages of one type in one format. */
export interface Codec {
  /**
   * Counts what a message would become.
   *
   * @returns bytes of the heap
   * @throws as `Measure.check`
   */
  measure(bytes: Uint8Array, limits: MeasureLimits): number;
  /** @throws BAD_MESSAGE, which quotes nothing of what came: it may be a password */
  parse(bytes: Uint8Array): Message;
  /** As `parse`, for a message that is too large to be read in one turn of the event loop. @throws CANCELED once the call is over */
  parseInTurns(bytes: Uint8Array, turns: Turns, call: Ending): Promise<Message>;
  /** @throws what protobuf says of a message that is not of the type */
  serialize(message: Message): Uint8Array;
}

/** What a call tells those who work for it. */
export interface Ending {
  /** Whether its status is decided: what is still being made for it is in vain. */
  readonly isOver: boolean;
}

/** How much of a message is read before looking whether the turn is over. */
const sliceBytes = 8 * 1024;
const sliceElements = 128;

/** Fields that the contract does not know are skipped: nobody reads them, and keeping them costs memory. */
const binaryOptions = { readUnknownFields: false };

/** Messages in protobuf. */
export class BinaryCodec implements Codec {
  readonly #type: DescMessage;

  constructor(type: DescMessage) {
    this.#type = type;
  }

  measure(bytes: Uint8Array, limits: MeasureLimits): number {
    return measureBinary(this.#type, bytes, limits);
  }

  parse(bytes: Uint8Array): Message {
    try {
      return fromBinary(this.#type, bytes, binaryOptions);
    } catch (cause) {
      throw badMessage(cause);
    }
  }

  /** What is cut between two fields and merged is the same message: https://protobuf.dev/programming-guides/encoding/#last-one-wins */
  async parseInTurns(bytes: Uint8Array, turns: Turns, call: Ending): Promise<Message> {
    const message = create(this.#type);
    for (let start = 0; start < bytes.length; ) {
      if (turns.isOver) await nextTurn(turns, call);
      const end = endOfSlice(bytes, start);
      try {
        mergeFromBinary(this.#type, message, bytes.subarray(start, end), binaryOptions);
      } catch (cause) {
        throw badMessage(cause);
      }
      start = end;
    }
    return message;
  }

  serialize(message: Message): Uint8Array {
    return toBinary(this.#type, message);
  }
}

/** Where some whole fields end; the end of all where the bytes are no protobuf, or hold groups. */
function endOfSlice(bytes: Uint8Array, start: number): number {
  let at = start;
  for (let fields = 0; fields < sliceElements && at - start < sliceBytes && at < bytes.length; fields++) {
    const wireType = (bytes[at] ?? 0) & 7;
    at = afterVarint(bytes, at);
    if (wireType === 0) at = afterVarint(bytes, at);
    else if (wireType === 1) at += 8;
    else if (wireType === 5) at += 4;
    else if (wireType === 2) {
      const lengthAt = at;
      at = afterVarint(bytes, at);
      for (let digit = at - 1, length = 0; digit >= lengthAt; digit--) {
        length = length * 128 + ((bytes[digit] ?? 0) & 0x7f);
        if (digit === lengthAt) at += length;
      }
    } else return bytes.length;
  }
  return Math.min(at, bytes.length);
}

/** Messages in protobuf's JSON: https://protobuf.dev/programming-guides/json/ */
export class JsonCodec implements Codec {
  readonly #type: DescMessage;
  readonly #options: { readonly registry: Registry; readonly ignoreUnknownFields: false };

  /** `registry`: the types that a google.protobuf.Any may hold. */
  constructor(type: DescMessage, registry: Registry) {
    this.#type = type;
    // A slip such as `passwrod` must not be lost in silence; proto3's JSON refuses unknown fields by default.
    this.#options = { registry, ignoreUnknownFields: false };
  }

  measure(bytes: Uint8Array, limits: MeasureLimits): number {
    return measureJson(bytes, limits);
  }

  parse(bytes: Uint8Array): Message {
    try {
      return fromJson(this.#type, parseJson(this.#type, bytes), this.#options);
    } catch (cause) {
      throw badJson(this.#type, cause);
    }
  }

  /** JSON.parse is quick enough for what `measure` lets through; making messages of it takes longer, list by list. */
  async parseInTurns(bytes: Uint8Array, turns: Turns, call: Ending): Promise<Message> {
    try {
      const json = parseJson(this.#type, bytes);
      const lists = isObject(json) ? this.#takeLongLists(json) : [];
      const message = fromJson(this.#type, json, this.#options);
      for (const [key, elements] of lists) {
        for (let start = 0; start < elements.length; start += sliceElements) {
          if (turns.isOver) await nextTurn(turns, call);
          const slice = elements.slice(start, start + sliceElements);
          mergeFromJson(this.#type, message, { [key]: slice }, this.#options);
        }
      }
      return message;
    } catch (cause) {
      throw badJson(this.#type, cause);
    }
  }

  /** Takes out the long lists that may be read in slices. A field that comes under both of its names is refused as a whole. */
  #takeLongLists(json: JsonObject): [key: string, elements: JsonValue[]][] {
    const lists: [string, JsonValue[]][] = [];
    for (const { fieldKind, jsonName, name } of this.#type.fields) {
      const keys = new Set([jsonName, name].filter((it) => Object.hasOwn(json, it)));
      const [key, another] = keys;
      const value = key === undefined ? undefined : json[key];
      if (fieldKind !== 'list' || key === undefined || another !== undefined || !isLong(value)) continue;
      delete json[key];
      lists.push([key, value]);
    }
    return lists;
  }

  serialize(message: Message): Uint8Array {
    return Buffer.from(toJsonString(this.#type, message, this.#options));
  }
}

/** @throws CANCELED if the call has ended in the meantime */
async function nextTurn(turns: Turns, call: Ending): Promise<void> {
  await turns.next();
  if (call.isOver) throw canceled;
}

const decoder = new TextDecoder();

function parseJson(type: DescMessage, bytes: Uint8Array): JsonValue {
  const text = decoder.decode(bytes);
  const json = JSON.parse(text);
  return mayHaveForeignNumber(text) ? decimalsOnly(type, json) : json;
}

function isObject(json: JsonValue): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

function isLong(value: JsonValue | undefined): value is JsonValue[] {
  return Array.isArray(value) && value.length > sliceElements;
}

/** Names the field, if it is one that can't be read: that is the contract's own word. */
function badMessage(cause: unknown) {
  if (cause === canceled) return canceled;
  const reason: unknown = cause instanceof Error ? cause.cause : undefined;
  return rpcError('BAD_MESSAGE', isFieldError(reason) ? String(reason.field()) : undefined);
}

/** A field that is unknown is not quoted either: the fields that there are help as well. */
function badJson(type: DescMessage, cause: unknown) {
  const isUnknown = cause instanceof Error && /key ".*" is unknown$/s.test(cause.message);
  if (!isUnknown) return badMessage(cause);
  const known = type.fields.slice(0, maxNamedFields).map(({ name }) => name);
  return rpcError('BAD_MESSAGE', `a field is unknown; ${type.typeName} has ${known.join(', ')}`);
}

const maxNamedFields = 20;
