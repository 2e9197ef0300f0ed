const quote = 0x22;
const backslash = 0x5c;

/** Up to so many keys of an object are looked through one by one, which is quicker than a set. */
const fewKeys = 8;

/** The keys of an object that is open so far. */
class Keys {
  readonly #few: string[] = [];
  #many: Set<string> | undefined;

  /** Adds a key. Returns false if it is there already. */
  add(key: string): boolean {
    if (this.#many !== undefined) {
      const before = this.#many.size;
      return this.#many.add(key).size > before;
    }
    if (this.#few.includes(key)) return false;
    this.#few.push(key);
    if (this.#few.length > fewKeys) this.#many = new Set(this.#few);
    return true;
  }
}

/** How much is looked through between two turns. */
const sliceCharacters = 16 * 1024;

/** Whether an object of a JSON text, at any depth, has a key twice; see `lookForKeyTwice`. */
export function hasKeyTwice(text: string): boolean {
  const looking = lookForKeyTwice(text);
  for (;;) {
    const { done, value } = looking.next();
    if (done) return value;
  }
}

/**
 * Looks whether an object of a JSON text, at any depth, has a key twice. JSON.parse keeps the last and drops the
 * others, so what a proxy has checked might not be what is read. The text must be one that JSON.parse takes. Yields now
 * and then, for others to have their turn.
 */
export function* lookForKeyTwice(text: string): Generator<undefined, boolean> {
  /** Arrays have no keys. */
  const open: (Keys | undefined)[] = [];
  let isKeyNext = false;
  let sliceEnd = sliceCharacters;
  for (let at = 0; at < text.length; at++) {
    if (at > sliceEnd) {
      yield;
      sliceEnd = at + sliceCharacters;
    }
    switch (text.charCodeAt(at)) {
      case 0x7b: // {
        open.push(new Keys());
        isKeyNext = true;
        break;
      case 0x5b: // [
        open.push(undefined);
        isKeyNext = false;
        break;
      case 0x7d: // }
      case 0x5d: // ]
        open.pop();
        isKeyNext = false;
        break;
      case 0x2c: // ,
        isKeyNext = open.at(-1) !== undefined;
        break;
      case quote: {
        const end = endOfText(text, at);
        if (isKeyNext && open.at(-1)?.add(keyOf(text.slice(at, end + 1))) === false) return true;
        isKeyNext = false;
        at = end;
        break;
      }
      default:
    }
  }
  return false;
}

function endOfText(text: string, start: number): number {
  let at = start + 1;
  for (let code = text.charCodeAt(at); code !== quote && at < text.length; code = text.charCodeAt(at)) {
    at += code === backslash ? 2 : 1;
  }
  return at;
}

/** With its escapes undone: `"\u0061"` is `"a"`. */
function keyOf(quoted: string): string {
  return quoted.includes('\\') ? JSON.stringify(JSON.parse(quoted)) : quoted;
}
