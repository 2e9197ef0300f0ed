import type { DescField } from '@bufbuild/protobuf';
import type { ConnectError } from '@connectrpc/connect';
import { rpcError } from '../errors.ts';

/** How many elements a repeated field of a request may have, and what its client is told of more. */
export interface ElementLimit {
  /** A repeated field or map of the method's input message itself, not of messages within it. */
  readonly field: DescField;
  readonly maxElements: number;
  /** Makes the error from the count that came. */
  readonly error: (elements: number) => ConnectError;
}

/** What a message may become. */
export interface MeasureLimits {
  /** Elements of one message: messages, texts, and whatever is in lists and maps; or values of JSON. */
  readonly maxMessageElements: number;
  /** The limits of the message's own repeated fields. */
  readonly elementLimits: readonly ElementLimit[];
}

/** Counts the elements of a field that has a limit. */
export interface ElementCounter {
  readonly limit: ElementLimit;
  elements: number;
}

/** Does without a pause what is done in slices. */
export function inOneGo<T>(work: Generator<undefined, T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
  }
}

/** Counts what a message would become, before it is made. */
export class Measure {
  /** Bytes of the heap that the elements counted so far take at most, without their contents. */
  heapBytes = 0;
  elements = 0;
  readonly #maxElements: number;
  /** They count to the end, so that the errors can say how many came. */
  readonly #counters: readonly ElementCounter[];

  constructor({ maxMessageElements, elementLimits }: MeasureLimits) {
    this.#maxElements = maxMessageElements;
    this.#counters = elementLimits.map((limit) => ({ limit, elements: 0 }));
  }

  /** Whether there are more elements than may be: what is within them need not be looked at any more. */
  get isOver(): boolean {
    return this.elements > this.#maxElements;
  }

  /** The counter of the field that this is true of. */
  counterOf(isField: (field: DescField) => boolean): ElementCounter | undefined {
    return this.#counters.find(({ limit }) => isField(limit.field));
  }

  /** @throws the error of an `ElementLimit`, else TOO_MANY_ELEMENTS, if there are too many */
  check(): void {
    for (const { limit, elements } of this.#counters)
      if (elements > limit.maxElements) throw limit.error(elements);
    if (this.isOver) throw rpcError('TOO_MANY_ELEMENTS', `at most ${this.#maxElements} elements`);
  }
}
