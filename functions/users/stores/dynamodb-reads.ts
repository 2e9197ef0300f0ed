import type { Item } from './dynamodb-items.ts';
import { ReadLine, type ReadLineOptions } from './dynamodb-read-line.ts';

/** What is read of an item where nobody asks for more: no e-mail address, no password. */
const shownAttributes = 'pk, username, userId, fingerprint, expiresAt, heldUntilMs';

/**
 * Reads items by their keys, consistently: what was written before a read began is in what it finds. Reads that wait
 * together go together, with those of the same attributes.
 */
export class SharedReads {
  readonly #options: ReadLineOptions;
  readonly #lines = new Map<string, ReadLine>();

  constructor(options: ReadLineOptions) {
    this.#options = options;
  }

  /**
   * Reads the items that there are. What DynamoDB would refuse as a key is nobody's.
   *
   * @param attributes what to read of each
   * @throws StoreError when DynamoDB leaves some out again and again; the errors of `batchGet`; the signal's reason
   */
  read(
    keys: readonly string[],
    signal: AbortSignal,
    attributes = shownAttributes,
  ): Promise<ReadonlyMap<string, Item>> {
    let line = this.#lines.get(attributes);
    if (line === undefined) {
      line = new ReadLine(attributes, this.#options);
      this.#lines.set(attributes, line);
    }
    return line.read(keys, signal);
  }
}
