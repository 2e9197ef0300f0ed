/** What tells a key from other texts, and objects from arrays: texts whole, and all punctuation but colons. */
const token = /"(?:[^"\\]|\\.)*"|[{}[\],]/gsu;

/**
 * Whether an object of a JSON text, at any depth, has a key twice. JSON.parse keeps the last and drops the others, so what a
 * proxy has checked might not be what is read. The text must be one that JSON.parse takes.
 */
export function hasKeyTwice(text: string): boolean {
  /** The keys so far of each object that is open; arrays have none. */
  const open: (Set<string> | undefined)[] = [];
  let isKeyNext = false;
  for (const [part] of text.matchAll(token)) {
    switch (part) {
      case '{':
      case '[':
        isKeyNext = part === '{';
        open.push(isKeyNext ? new Set() : undefined);
        break;
      case '}':
      case ']':
        isKeyNext = false;
        open.pop();
        break;
      case ',':
        isKeyNext = open.at(-1) !== undefined;
        break;
      default: {
        const keys = isKeyNext ? open.at(-1) : undefined;
        isKeyNext = false;
        if (keys === undefined) break;
        const key = part.includes('\\') ? JSON.stringify(JSON.parse(part)) : part;
        if (keys.has(key)) return true;
        keys.add(key);
      }
    }
  }
  return false;
}
