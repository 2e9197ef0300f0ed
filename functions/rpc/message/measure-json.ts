import type { DescField } from '@bufbuild/protobuf';
import { rpcError } from '../errors.ts';
import { Measure, type MeasureLimits, maxDepth } from './measure.ts';

/**
 * What parsing and decoding make at most, in bytes of the heap: the text, what JSON.parse makes of it, and the message.
 * Measured with Node 24, and held to by test/rpc/message.
 */
const heapBytesPerByte = 4;
const heapBytesPerContainer = 240;
const heapBytesPerValue = 64;

const quote = 0x22;
const comma = 0x2c;
const openBracket = 0x5b;
const backslash = 0x5c;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/**
 * Counts what a message in JSON would become, for the price of reading its bytes once.
 *
 * @returns how many bytes of the heap parsing and decoding take at most
 * @throws as `Measure.check`; BAD_MESSAGE for what is nested too deeply. Other faults of the text are left to the parser
 */
export function measureJson(bytes: Uint8Array, limits: MeasureLimits): number {
  const measure = new Measure(limits);
  let depth = 0;
  /** The key of the outermost object whose value this is. */
  let key = '';
  let isKeyNext = false;
  for (let at = 0; at < bytes.length; at++) {
    switch (bytes[at]) {
      case quote: {
        const end = endOfText(bytes, at);
        if (isKeyNext) key = textAt(bytes, at, end);
        isKeyNext = false;
        at = end;
        break;
      }
      case openBrace:
      case openBracket:
        measure.add(heapBytesPerContainer);
        depth += 1;
        isKeyNext = depth === 1;
        if (depth === 2) measure.addElementOf(hasKey, key);
        if (depth > maxDepth) throw rpcError('BAD_MESSAGE');
        break;
      case closeBrace:
      case closeBracket:
        depth -= 1;
        break;
      case comma:
        measure.add(heapBytesPerValue);
        isKeyNext = depth === 1;
        if (depth === 2) measure.addElementOf(hasKey, key);
        break;
      default:
    }
  }
  measure.check();
  return heapBytesPerContainer + heapBytesPerByte * bytes.length + measure.heapBytes;
}

const hasKey = ({ jsonName, name }: DescField, key: string) => key === jsonName || key === name;

/** The place of the quote that ends a text. */
function endOfText(bytes: Uint8Array, start: number): number {
  let at = start + 1;
  while (at < bytes.length && bytes[at] !== quote) at += bytes[at] === backslash ? 2 : 1;
  return at;
}

/** A key, with its escapes undone: `"\u0075ser"` is `user`. Empty if it is no text. */
function textAt(bytes: Uint8Array, start: number, end: number): string {
  try {
    const text: unknown = JSON.parse(Buffer.from(bytes.subarray(start, end + 1)).toString());
    return typeof text === 'string' ? text : '';
  } catch {
    return '';
  }
}
