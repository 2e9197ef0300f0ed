import { encodeField, encodeInteger, encodeText } from './encoder.ts';
import { staticPairs } from './static-table.ts';

/** What an entry of the table counts besides its texts (RFC 7541 section 4.1). */
const entryBytes = 32;
/** Lists that are known again; a server has fewer. */
const maxLists = 64;
/** Of a field that is not in the table. */
const noPlace = 0;

/** The fields of each list as texts, for all connections: thousands would keep the same ones again and again. */
const textsOf = new WeakMap<readonly string[], readonly string[]>();

/**
 * Lists of fields that one peer gets again and again. Their fields enter its dynamic table once, and take a byte or two
 * from then on. Nothing ever leaves the table: what finds no room is sent as it is.
 */
export class LastingFields {
  readonly #maxBytes: number;
  #bytes = 0;
  /** Fields by their names and values; the first that entered has place 1. */
  readonly #places = new Map<string, number>();
  /** Of each field of a list. */
  readonly #lists = new Map<readonly string[], readonly number[]>();

  /** @param maxBytes the peer's table */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * Writes a list, names and values in turn: the same array each time.
   *
   * @param target must have room for `maxFieldBytes` of each field
   * @returns where the next field goes
   */
  encode(fields: readonly string[], target: Buffer, at: number): number {
    const places = this.#lists.get(fields);
    if (places === undefined) return this.#encodeFirst(fields, target, at);
    for (let index = 0; index < places.length; index++) {
      const place = places[index] ?? noPlace;
      at =
        place === noPlace
          ? encodeField(fields[2 * index] ?? '', fields[2 * index + 1] ?? '', target, at)
          : this.#encodePlace(place, target, at);
    }
    return at;
  }

  #encodeFirst(fields: readonly string[], target: Buffer, at: number): number {
    const places: number[] = [];
    for (const [index, key] of fieldTexts(fields).entries()) {
      const [name = '', value = ''] = fields.slice(2 * index, 2 * index + 2);
      const place = this.#places.get(key);
      if (place !== undefined) {
        at = this.#encodePlace(place, target, at);
        places.push(place);
      } else if (name === ':status' || this.#bytes + key.length - 1 + entryBytes > this.#maxBytes) {
        at = encodeField(name, value, target, at);
        places.push(noPlace);
      } else {
        // Section 6.2.1: a literal that enters the table.
        target[at] = 0x40;
        at = encodeText(value, target, encodeText(name, target, at + 1));
        this.#bytes += key.length - 1 + entryBytes;
        places.push(this.#places.size + 1);
        this.#places.set(key, this.#places.size + 1);
      }
    }
    if (this.#lists.size < maxLists) this.#lists.set(fields, places.slice()); // without the room to grow
    return at;
  }

  /** Section 6.1. The newest entry follows the static table (section 2.3.3). */
  #encodePlace(place: number, target: Buffer, at: number): number {
    return encodeInteger(staticPairs + 1 + this.#places.size - place, 0x7f, 0x80, target, at);
  }
}

function fieldTexts(fields: readonly string[]): readonly string[] {
  let texts = textsOf.get(fields);
  if (texts === undefined) {
    texts = fields.flatMap((name, index) => (index % 2 === 0 ? [`${name}:${fields[index + 1] ?? ''}`] : []));
    textsOf.set(fields, texts);
  }
  return texts;
}
