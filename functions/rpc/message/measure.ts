import type { DescField } from '@bufbuild/protobuf';
import type { ConnectError } from '@connectrpc/connect';
import { rpcError } from '../errors.ts';

/** How many elements a repeated field of a request may have, and what its client is told of more. */
export interface ElementLimit {
  /** A repeated field of the method's input message itself, not of messages within it. */
  readonly field: DescField;
  readonly maxElements: number;
  /** Makes the error from the count that came. */
  readonly error: (elements: number) => ConnectError;
}

/** What a message may become. */
export interface MeasureLimits {
  /** Objects that one message may become: messages, texts and map entries, or values of JSON. */
  readonly maxMessageElements: number;
  /** The limits of the message's own repeated fields. */
  readonly elementLimits: readonly ElementLimit[];
}

/** Messages within messages, as protobuf's own parsers allow: https://protobuf.dev/programming-guides/proto-limits/ */
export const maxDepth = 100;

/** Counts what a message would become, before it is made. */
export class Measure {
  /** Bytes of the heap that the objects counted so far take at most, without their contents. */
  heapBytes = 0;
  #elements = 0;
  readonly #limits: MeasureLimits;
  readonly #counts: number[];

  constructor(limits: MeasureLimits) {
    this.#limits = limits;
    this.#counts = limits.elementLimits.map(() => 0);
  }

  /** Whether there are more objects than may be: what is within them need not be looked at any more. */
  get isOver(): boolean {
    return this.#elements > this.#limits.maxMessageElements;
  }

  /** Counts one object. */
  add(heapBytes: number): void {
    this.#elements += 1;
    this.heapBytes += heapBytes;
  }

  /**
   * Counts an element of one of the outermost message's fields, the one that has `name` in its format: to the end, so that
   * the error can say how many came.
   */
  addElementOf<Name>(isNamed: (field: DescField, name: Name) => boolean, name: Name): void {
    const { elementLimits } = this.#limits;
    for (let at = 0; at < elementLimits.length; at++) {
      const limit = elementLimits[at];
      if (limit !== undefined && isNamed(limit.field, name)) this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    }
  }

  /** @throws the error of an `ElementLimit`, else TOO_MANY_ELEMENTS, if there are too many */
  check(): void {
    this.#limits.elementLimits.forEach(({ maxElements, error }, at) => {
      const elements = this.#counts[at] ?? 0;
      if (elements > maxElements) throw error(elements);
    });
    const { maxMessageElements } = this.#limits;
    if (this.isOver) throw rpcError('TOO_MANY_ELEMENTS', `at most ${maxMessageElements} objects`);
  }
}
