import { decodeHuffman } from './huffman.ts';
import { staticPairs, staticTable } from './static-table.ts';

/** Takes the fields of a block, in their order. */
export interface FieldSink {
  field(name: string, value: string): void;
}

/** A block breaks the rules of HPACK: its connection ends with COMPRESSION_ERROR (RFC 7541 section 2.2). */
export class HpackError extends Error {
  override readonly name = 'HpackError';
}

const nothing = Buffer.alloc(0);
/** What Huffman's code becomes, for all decoders; it grows to what the longest text needs. */
let text = Buffer.allocUnsafeSlow(1024);

/** What an entry of the dynamic table counts besides its texts (RFC 7541 section 4.1). */
const entryBytes = 32;
/** Room that a table has for entries at first: what clients of gRPC use. It doubles when it is full. */
const firstEntries = 16;

/**
 * Decodes the header blocks that one peer sends (RFC 7541). It keeps the dynamic table, so every block of the
 * connection must pass it, in order, also those whose fields nobody wants.
 */
export class HpackDecoder {
  readonly #maxTableBytes: number;
  /** A ring: the newest entry is at `#newest`, older ones follow it. */
  #names: string[] = [];
  #values: string[] = [];
  #newest = 0;
  #entries = 0;
  #tableBytes = 0;
  #tableLimitBytes: number;
  #block: Buffer = nothing;
  #at = 0;
  #end = 0;

  /** @param maxTableBytes SETTINGS_HEADER_TABLE_SIZE, as the peer was told */
  constructor(maxTableBytes: number) {
    this.#maxTableBytes = maxTableBytes;
    this.#tableLimitBytes = maxTableBytes;
  }

  /**
   * Hands over each field of a block.
   *
   * @throws HpackError if it is none; the connection can't go on
   */
  decode(block: Buffer, from: number, to: number, sink: FieldSink): void {
    this.#block = block;
    this.#at = from;
    this.#end = to;
    let isFirst = true;
    while (this.#at < this.#end) {
      const byte = block[this.#at] ?? 0;
      if (byte >= 0x80) {
        // Section 6.1: a field from a table.
        const index = this.#integer(0x7f);
        sink.field(this.#nameAt(index), this.#valueAt(index));
      } else if (byte >= 0x40) {
        // Section 6.2.1: a literal that enters the table.
        const index = this.#integer(0x3f);
        const name = index === 0 ? this.#string() : this.#nameAt(index);
        const value = this.#string();
        this.#add(name, value);
        sink.field(name, value);
      } else if (byte >= 0x20) {
        // Section 6.3: a table of another size; before all fields (section 4.2).
        if (!isFirst) throw new HpackError('the table changes its size within a block');
        this.#resize(this.#integer(0x1f));
        continue;
      } else {
        // Sections 6.2.2 and 6.2.3: a literal that does not.
        const index = this.#integer(0x0f);
        const name = index === 0 ? this.#string() : this.#nameAt(index);
        sink.field(name, this.#string());
      }
      isFirst = false;
    }
    this.#block = nothing; // an idle connection would keep all that came with it
  }

  /** Section 5.1. No integer of a block means anything beyond 2^28. */
  #integer(mask: number): number {
    let value = this.#byte() & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= 21; shift += 7) {
      const byte = this.#byte();
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new HpackError('an integer is too large');
  }

  #byte(): number {
    if (this.#at >= this.#end) throw new HpackError('the block ends too early');
    return this.#block[this.#at++] ?? 0;
  }

  /** Section 5.2. */
  #string(): string {
    const isHuffman = this.#at < this.#end && (this.#block[this.#at] ?? 0) >= 0x80;
    const length = this.#integer(0x7f);
    const from = this.#at;
    const to = from + length;
    if (to > this.#end) throw new HpackError('the block ends within a text');
    this.#at = to;
    if (!isHuffman) return this.#block.toString('latin1', from, to);
    // The shortest code has five bits.
    const most = Math.ceil((length * 8) / 5);
    if (most > text.length) text = Buffer.allocUnsafeSlow(2 * most);
    const characters = decodeHuffman(this.#block, from, to, text);
    if (characters < 0) throw new HpackError("a text is not in Huffman's code");
    return text.toString('latin1', 0, characters);
  }

  #nameAt(index: number): string {
    if (index > 0 && index <= staticPairs) return staticTable[2 * index - 2] ?? '';
    return this.#names[this.#placeOf(index)] ?? '';
  }

  #valueAt(index: number): string {
    if (index > 0 && index <= staticPairs) return staticTable[2 * index - 1] ?? '';
    return this.#values[this.#placeOf(index)] ?? '';
  }

  /** Section 2.3.3: the newest entry follows the static table. */
  #placeOf(index: number): number {
    const age = index - staticPairs - 1;
    if (age < 0 || age >= this.#entries) throw new HpackError('an index is beyond the table');
    const place = this.#newest + age;
    return place < this.#names.length ? place : place - this.#names.length;
  }

  /** Section 4.4: what is larger than the table empties it. */
  #add(name: string, value: string): void {
    const bytes = name.length + value.length + entryBytes;
    this.#evict(this.#tableLimitBytes - bytes);
    if (bytes > this.#tableLimitBytes) return;
    if (this.#entries === this.#names.length) this.#makeRoom();
    this.#newest = this.#newest === 0 ? this.#names.length - 1 : this.#newest - 1;
    this.#names[this.#newest] = name;
    this.#values[this.#newest] = value;
    this.#entries += 1;
    this.#tableBytes += bytes;
  }

  /** An entry has 32 bytes at least, so the ring ends with the table. */
  #makeRoom(): void {
    const entries = Math.max(firstEntries, 2 * this.#entries);
    this.#names = inOrder(this.#names, this.#newest, entries);
    this.#values = inOrder(this.#values, this.#newest, entries);
    this.#newest = 0;
  }

  #resize(limitBytes: number): void {
    if (limitBytes > this.#maxTableBytes) throw new HpackError('the table is to be larger than it may');
    this.#tableLimitBytes = limitBytes;
    this.#evict(limitBytes);
  }

  /** Section 4.3: the oldest go until the rest fits. */
  #evict(limitBytes: number): void {
    while (this.#tableBytes > limitBytes && this.#entries > 0) {
      const place = this.#placeOf(staticPairs + this.#entries);
      this.#tableBytes -= (this.#names[place] ?? '').length + (this.#values[place] ?? '').length + entryBytes;
      this.#names[place] = '';
      this.#values[place] = '';
      this.#entries -= 1;
    }
  }
}

/** A full ring from its newest entry on, with more room behind. */
function inOrder(ring: readonly string[], newest: number, room: number): string[] {
  const texts = [...ring.slice(newest), ...ring.slice(0, newest)];
  return texts.concat(new Array(room - texts.length).fill(''));
}
