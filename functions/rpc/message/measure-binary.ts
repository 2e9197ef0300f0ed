import type { DescMessage } from '@bufbuild/protobuf';
import { WireType } from '@bufbuild/protobuf/wire';
import { rpcError } from '../errors.ts';
import {
  emptyMessageBytes,
  type FieldShape,
  firstElementBytes,
  type MessageShape,
  shapeOf,
} from './heap-shape.ts';
import { type ElementCounter, Measure, type MeasureLimits } from './measure.ts';
import { afterValue, afterVarint, maxDepth, varint } from './wire-format.ts';

/** How much is read between two turns: some 0.1 ms. */
const sliceBytes = 16 * 1024;
/** Text beyond Latin-1 takes two for each. */
const heapBytesPerByte = 2;

/**
 * Counts what a message in protobuf would become, for the price of reading its tags. Two things are refused that
 * protobuf-es reads in ways of its own, for what is counted must be what is read: a value of another type than its
 * field's, and one that ends beyond its message.
 *
 * @returns how many bytes of the heap the decoded message takes at most
 * @throws as `Measure.check`; BAD_MESSAGE. Other faults of the bytes are left to the decoder
 */
export function measureBinary(type: DescMessage, bytes: Uint8Array, limits: MeasureLimits): number {
  const measure = new Measure(limits);
  new BinaryMeasurer(bytes, measure).readMessage(shapeOf(type), 0, bytes.length, 0);
  return heapBytesOf(type, bytes, measure);
}

/** As `measureBinary`. Yields now and then, for others to have their turn: between two fields of the message itself. */
export function* measuringBinary(
  type: DescMessage,
  bytes: Uint8Array,
  limits: MeasureLimits,
): Generator<undefined, number> {
  const measure = new Measure(limits);
  const measurer = new BinaryMeasurer(bytes, measure);
  for (let at = 0; at < bytes.length; ) {
    if (at > 0) yield;
    at = measurer.readMessage(shapeOf(type), at, bytes.length, 0, at + sliceBytes);
  }
  return heapBytesOf(type, bytes, measure);
}

function heapBytesOf(type: DescMessage, bytes: Uint8Array, measure: Measure): number {
  measure.check();
  return emptyMessageBytes(type) + heapBytesPerByte * bytes.length + measure.heapBytes;
}

class BinaryMeasurer {
  readonly #bytes: Uint8Array;
  readonly #measure: Measure;

  constructor(bytes: Uint8Array, measure: Measure) {
    this.#bytes = bytes;
    this.#measure = measure;
  }

  /**
   * Returns where the message ends: a group, to which no end is given, after its last tag. Or where the first field
   * ends that ends at `until` or later.
   */
  readMessage(
    shape: MessageShape,
    start: number,
    end: number | undefined,
    depth: number,
    until = Number.POSITIVE_INFINITY,
  ): number {
    if (depth > maxDepth) throw rpcError('BAD_MESSAGE');
    const bytes = this.#bytes;
    const last = end ?? bytes.length;
    /** The field of the last value, and the counter of its elements if it has a limit. */
    let known: FieldShape | undefined;
    let counter: ElementCounter | undefined;
    let at = start;
    while (at < last && at < until) {
      const tag = varint(bytes, at);
      const wireType = tag & 7;
      const valueAt = afterVarint(bytes, at);
      if (end === undefined && wireType === WireType.EndGroup) return valueAt;
      const field = shape.get(tag >>> 3);
      if (field !== known) {
        known = field;
        if (field?.isList) this.#measure.heapBytes += firstElementBytes;
        counter = depth > 0 ? undefined : this.#measure.counterOf((it) => it === field?.field);
      }
      if (field === undefined) at = afterValue(bytes, valueAt, wireType, depth);
      else if (wireType === WireType.LengthDelimited && field.isPackable)
        at = this.#readPacked(field, valueAt, counter);
      else if (wireType !== field.wireType) throw rpcError('BAD_MESSAGE');
      else {
        if (field.isObject || field.isList) this.#count(field, 1, counter);
        at = this.#afterValue(field, valueAt, depth);
      }
    }
    if (at > last || end === undefined) throw rpcError('BAD_MESSAGE');
    return at;
  }

  #afterValue({ message, wireType }: FieldShape, from: number, depth: number): number {
    const bytes = this.#bytes;
    if (message === undefined || this.#measure.isOver) return afterValue(bytes, from, wireType, depth);
    if (wireType === WireType.StartGroup) return this.readMessage(message(), from, undefined, depth + 1);
    const start = afterVarint(bytes, from);
    const end = start + varint(bytes, from);
    if (end === start || end > bytes.length) return end;
    return this.readMessage(message(), start, end, depth + 1);
  }

  /** Numbers of a list that come as one. */
  #readPacked(field: FieldShape, from: number, counter: ElementCounter | undefined): number {
    const bytes = this.#bytes;
    const start = afterVarint(bytes, from);
    const end = start + varint(bytes, from);
    if (end > bytes.length) return end;
    let values = 0;
    if (field.wireType === WireType.Varint) {
      for (let at = start; at < end; at++) if ((bytes[at] ?? 0) < 0x80) values += 1;
      if (end > start && (bytes[end - 1] ?? 0) >= 0x80) throw rpcError('BAD_MESSAGE');
    } else {
      values = (end - start) / (field.wireType === WireType.Bit32 ? 4 : 8);
      if (!Number.isInteger(values)) throw rpcError('BAD_MESSAGE');
    }
    this.#count(field, values, counter);
    return end;
  }

  #count(field: FieldShape, values: number, counter: ElementCounter | undefined): void {
    this.#measure.elements += values;
    this.#measure.heapBytes += values * field.heapBytes;
    if (counter !== undefined) counter.elements += values;
  }
}
