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
 * @throws as `Measure.check`; BAD_MESSAGE for what is nested too deeply, and for an object that has a key twice, of which
 * JSON.parse would drop one. Other faults of the text are left to the parser
 */
export function measureJson(bytes: Uint8Array, limits: MeasureLimits): number {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const measure = new Measure(limits);
  /** The keys so far of each object that is open; arrays have none. */
  const open: (Set<string> | undefined)[] = [];
  /** The key of the outermost object whose value this is. */
  let key = '';
  let isKeyNext = false;
  const addElement = () => measure.addElementOf(({ jsonName, name }) => key === jsonName || key === name);
  for (let at = 0; at < bytes.length; at++) {
    switch (bytes[at]) {
      case quote: {
        const end = endOfText(bytes, at);
        if (isKeyNext && !measure.isOver) {
          const name = textAt(text, at, end);
          if (open.length === 1) key = name;
          const keys = open.at(-1);
          if (keys?.has(name)) throw rpcError('BAD_MESSAGE');
          keys?.add(name);
        }
        isKeyNext = false;
        at = end;
        break;
      }
      case openBrace:
      case openBracket:
        measure.add(heapBytesPerContainer);
        isKeyNext = bytes[at] === openBrace;
        open.push(isKeyNext ? new Set() : undefined);
        if (open.length === 2) addElement();
        if (open.length > maxDepth) throw rpcError('BAD_MESSAGE');
        break;
      case closeBrace:
      case closeBracket:
        open.pop();
        isKeyNext = false;
        break;
      case comma:
        measure.add(heapBytesPerValue);
        isKeyNext = open.at(-1) !== undefined;
        if (open.length === 2) addElement();
        break;
      default:
    }
  }
  measure.check();
  return heapBytesPerContainer + heapBytesPerByte * bytes.length + measure.heapBytes;
}

/** The place of the quote that ends a text. */
function endOfText(bytes: Uint8Array, start: number): number {
  let at = start + 1;
  while (at < bytes.length && bytes[at] !== quote) at += bytes[at] === backslash ? 2 : 1;
  return at;
}

/** A key, with its escapes undone: `"\u0075ser"` is `user`. Empty if it is no text. */
function textAt(bytes: Buffer, start: number, end: number): string {
  const plain = bytes.toString('utf8', start + 1, end);
  if (!plain.includes('\\')) return plain;
  try {
    const text: unknown = JSON.parse(`"${plain}"`);
    return typeof text === 'string' ? text : '';
  } catch {
    return '';
  }
}
