import { rpcError } from '../errors.ts';
import type { JsonShape } from './json-shape.ts';
import { type ElementCounter, inOneGo, Measure, type MeasureLimits } from './measure.ts';
import { maxDepth } from './wire-format.ts';

/** How much is read between two turns: some 0.2 ms. */
const sliceBytes = 16 * 1024;

const quote = 0x22;
const comma = 0x2c;
const openBracket = 0x5b;
const backslash = 0x5c;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const space = 0x20;
const letterU = 0x75;
/** No array is so long that this becomes a number of keys. */
const noKeys = -(2 ** 31);

/**
 * Counts what a message in JSON would become, for the price of reading its bytes once. A key that comes twice counts
 * twice, since JSON.parse makes both. An object with more keys than any type has is refused at once: JSON.parse takes
 * longest for those.
 *
 * @returns how many bytes of the heap parsing and decoding take at most
 * @throws as `Measure.check`; BAD_MESSAGE for too many keys, and for what is nested too deeply. Other faults of the
 * text are left to the parser
 */
export function measureJson(shape: JsonShape, bytes: Uint8Array, limits: MeasureLimits): number {
  return inOneGo(measuringJson(shape, bytes, limits));
}

/** As `measureJson`. Yields now and then, for others to have their turn. */
export function* measuringJson(
  shape: JsonShape,
  bytes: Uint8Array,
  limits: MeasureLimits,
): Generator<undefined, number> {
  const { messageBytes, objectBytes, arrayBytes, valueBytes, heapBytesPerByte, maxKeys } = shape;
  const measure = new Measure(limits);
  let depth = 0;
  /** Of the objects that are open, by depth; far below zero for arrays. */
  const keys = new Int32Array(maxDepth + 1);
  /** Whether the outermost value is an object. */
  let hasKeys = false;
  let isKeyNext = false;
  /** Of the field that the outermost object's last key names, if it has a limit. */
  let counter: ElementCounter | undefined;
  let sliceEnd = sliceBytes;
  for (let at = 0; at < bytes.length; at++) {
    if (at > sliceEnd) {
      yield;
      sliceEnd = at + sliceBytes;
    }
    switch (bytes[at]) {
      case quote: {
        const end = endOfText(bytes, at);
        if (isKeyNext) {
          const start = at + 1;
          const isName = (name: string) => isText(bytes, start, end, name);
          counter = measure.counterOf(({ jsonName, name }) => isName(jsonName) || isName(name));
          isKeyNext = false;
        }
        at = end;
        break;
      }
      case openBrace:
      case openBracket:
        measure.elements += 1;
        measure.heapBytes += bytes[at] === openBrace ? objectBytes : arrayBytes;
        depth += 1;
        if (depth > maxDepth) throw rpcError('BAD_MESSAGE');
        keys[depth] = bytes[at] === openBrace ? 1 : noKeys;
        if (depth === 1) hasKeys = bytes[at] === openBrace;
        isKeyNext = depth === 1 && hasKeys;
        if (depth === 2 && counter !== undefined && !isEmpty(bytes, at)) counter.elements += 1;
        break;
      case closeBrace:
      case closeBracket:
        depth -= 1;
        break;
      case comma:
        keys[depth] = (keys[depth] ?? 0) + 1;
        if ((keys[depth] ?? 0) > maxKeys)
          throw rpcError('BAD_MESSAGE', 'an object has more keys than there are fields');
        measure.elements += 1;
        measure.heapBytes += valueBytes;
        isKeyNext = depth === 1 && hasKeys;
        if (depth === 2 && counter !== undefined) counter.elements += 1;
        break;
      default:
    }
  }
  measure.check();
  return messageBytes + heapBytesPerByte * bytes.length + measure.heapBytes;
}

/** The place of the quote that ends a text. */
function endOfText(bytes: Uint8Array, start: number): number {
  let at = start + 1;
  while (at < bytes.length && bytes[at] !== quote) at += bytes[at] === backslash ? 2 : 1;
  return at;
}

/** Whether nothing is in the array or object that opens there. */
function isEmpty(bytes: Uint8Array, openedAt: number): boolean {
  let at = openedAt + 1;
  while ((bytes[at] ?? quote) <= space) at++;
  return bytes[at] === closeBracket || bytes[at] === closeBrace;
}

/**
 * Whether this is written there, perhaps with escapes: `\u0075ser` is `user`. For ASCII, as the names of fields are.
 */
function isText(bytes: Uint8Array, start: number, end: number, text: string): boolean {
  let at = start;
  for (let index = 0; index < text.length; index++) {
    const isEscape = bytes[at] === backslash && bytes[at + 1] === letterU;
    const code = isEscape ? fromHex(bytes, at + 2) : bytes[at];
    if (code !== text.charCodeAt(index)) return false;
    at += isEscape ? 6 : 1;
  }
  return at === end;
}

/** What four digits say; not a number if they are none. */
function fromHex(bytes: Uint8Array, start: number): number {
  let code = 0;
  for (let at = start; at < start + 4; at++) {
    code = code * 16 + Number.parseInt(String.fromCharCode(bytes[at] ?? 0), 16);
  }
  return code;
}
