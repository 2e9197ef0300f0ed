import {
  type DescMessage,
  fromBinary,
  fromJson,
  type JsonValue,
  type Message,
  type Registry,
  toBinary,
  toJsonString,
} from '@bufbuild/protobuf';
import type { ConnectError } from '@connectrpc/connect';
import type { Turns } from '../call/turns.ts';
import { canceled, rpcError } from '../errors.ts';
import { badJson, badMessage } from './bad-message.ts';
import { hasKeyTwice, lookForKeyTwice } from './json-keys.ts';
import { decimalsOnly, mayHaveForeignNumber } from './json-number.ts';
import { type JsonShape, jsonShape } from './json-shape.ts';
import type { MeasureLimits } from './measure.ts';
import { measureBinary, measuringBinary } from './measure-binary.ts';
import { measureJson, measuringJson } from './measure-json.ts';
import { binaryOptions, readBinary } from './read-binary.ts';
import { readJson } from './read-json.ts';

/** Reads and writes the messages of one type in one format. */
export interface Codec {
  /**
   * Counts what a message would become.
   *
   * @returns bytes of the heap
   * @throws as `Measure.check`; BAD_MESSAGE
   */
  measure(bytes: Uint8Array, limits: MeasureLimits): number;
  /** As `measure`, for a message that is too large to be measured in one turn of the event loop. */
  measureInTurns(bytes: Uint8Array, limits: MeasureLimits, turns: Turns, call: Ending): Promise<number>;
  /**
   * Reads a message for which `measure` has not thrown.
   *
   * @throws BAD_MESSAGE, which quotes nothing of what came: it may be a password
   */
  parse(bytes: Uint8Array): Message;
  /**
   * As `parse`, for a message that is too large to be read in one turn of the event loop. @throws CANCELED once the
   * call is over
   */
  parseInTurns(bytes: Uint8Array, turns: Turns, call: Ending): Promise<Message>;
  /** @throws what protobuf says of a message that is not of the type */
  serialize(message: Message): Uint8Array;
}

/** What a call tells those who work for it. */
export interface Ending {
  /** Whether its status is decided: what is still being made for it is in vain. */
  readonly isOver: boolean;
}

/** Messages in protobuf. */
export class BinaryCodec implements Codec {
  readonly #type: DescMessage;

  constructor(type: DescMessage) {
    this.#type = type;
  }

  measure(bytes: Uint8Array, limits: MeasureLimits): number {
    return measureBinary(this.#type, bytes, limits);
  }

  measureInTurns(bytes: Uint8Array, limits: MeasureLimits, turns: Turns, call: Ending): Promise<number> {
    return inTurns(measuringBinary(this.#type, bytes, limits), turns, call);
  }

  parse(bytes: Uint8Array): Message {
    try {
      return fromBinary(this.#type, bytes, binaryOptions);
    } catch (cause) {
      throw badMessage(cause);
    }
  }

  async parseInTurns(bytes: Uint8Array, turns: Turns, call: Ending): Promise<Message> {
    try {
      return await readBinary(this.#type, bytes, () => nextTurn(turns, call));
    } catch (cause) {
      throw badMessage(cause);
    }
  }

  serialize(message: Message): Uint8Array {
    return toBinary(this.#type, message);
  }
}

/** Messages in protobuf's JSON: https://protobuf.dev/programming-guides/json/ */
export class JsonCodec implements Codec {
  readonly #type: DescMessage;
  readonly #options: { readonly registry: Registry; readonly ignoreUnknownFields: false };
  /** Made with the first message: most methods get none in JSON. */
  #shape: JsonShape | undefined;

  /** `registry`: the types that a google.protobuf.Any may hold. */
  constructor(type: DescMessage, registry: Registry) {
    this.#type = type;
    // A slip such as `passwrod` must not be lost in silence; proto3's JSON refuses unknown fields by default.
    this.#options = { registry, ignoreUnknownFields: false };
  }

  measure(bytes: Uint8Array, limits: MeasureLimits): number {
    return measureJson(this.#shapeOnce, bytes, limits);
  }

  measureInTurns(bytes: Uint8Array, limits: MeasureLimits, turns: Turns, call: Ending): Promise<number> {
    return inTurns(measuringJson(this.#shapeOnce, bytes, limits), turns, call);
  }

  get #shapeOnce(): JsonShape {
    this.#shape ??= jsonShape(this.#type, this.#options.registry);
    return this.#shape;
  }

  parse(bytes: Uint8Array): Message {
    try {
      const text = decoder.decode(bytes);
      const json = jsonOf(text);
      if (hasKeyTwice(text)) throw keyTwice();
      return fromJson(this.#type, this.#prepare(text)(json), this.#options);
    } catch (cause) {
      throw badJson(this.#type, cause);
    }
  }

  /** JSON.parse is quick enough for what `measure` lets through; making messages of it takes longer. */
  async parseInTurns(bytes: Uint8Array, turns: Turns, call: Ending): Promise<Message> {
    try {
      const text = decoder.decode(bytes);
      const json = jsonOf(text);
      if (await inTurns(lookForKeyTwice(text), turns, call)) throw keyTwice();
      const turn = () => nextTurn(turns, call);
      return await readJson(this.#type, json, this.#options, this.#prepare(text), turn);
    } catch (cause) {
      throw badJson(this.#type, cause);
    }
  }

  #prepare(text: string): (json: JsonValue) => JsonValue {
    return mayHaveForeignNumber(text) ? (json) => decimalsOnly(this.#type, json) : (json) => json;
  }

  serialize(message: Message): Uint8Array {
    return Buffer.from(toJsonString(this.#type, message, this.#options));
  }
}

/** Waits for the next turn, if this one is over. @throws CANCELED if the call has ended in the meantime */
function nextTurn(turns: Turns, call: Ending): Promise<void> | undefined {
  if (!turns.isOver) return undefined;
  return turns.next().then(() => {
    if (call.isOver) throw canceled();
  });
}

const decoder = new TextDecoder();

/** Does work in slices, as many in each turn as its time allows. @throws CANCELED once the call is over */
async function inTurns<T>(work: Generator<undefined, T>, turns: Turns, call: Ending): Promise<T> {
  for (;;) {
    const pause = nextTurn(turns, call);
    if (pause !== undefined) await pause;
    const { done, value } = work.next();
    if (done) return value;
  }
}

function keyTwice(): ConnectError {
  return rpcError('BAD_MESSAGE', 'an object has a key twice');
}

/** JSON.parse quotes the text in its error. */
function jsonOf(text: string): JsonValue {
  try {
    return JSON.parse(text);
  } catch {
    const problem =
      text === '' ? 'the JSON is missing; that of an empty message is {}' : "the JSON can't be parsed";
    throw rpcError('BAD_MESSAGE', problem);
  }
}
