/** Names in their order, for pages of them. */
export interface SortedNames {
  add(name: string): void;
  remove(name: string): void;
  /** At most so many names after one, which need not be among them, that begin with the prefix. */
  page(prefix: string, after: string, maxNames: number): string[];
}

/**
 * Makes an empty list. Names that are added wait until a page is read, so that adding costs next to nothing; the first
 * page after many is the one that sorts.
 */
export function sortedNames(): SortedNames {
  let sorted: string[] = [];
  const added = new Set<string>();
  /** Removed from the list, but still in `sorted`. */
  const removed = new Set<string>();

  function settle(): void {
    if (added.size === 0 && removed.size === 0) return;
    sorted = sorted.filter((name) => !removed.has(name));
    sorted.push(...added);
    sorted.sort();
    added.clear();
    removed.clear();
  }

  /** The place of the first name that is not less. */
  function placeOf(text: string): number {
    let from = 0;
    let to = sorted.length;
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((sorted[middle] ?? '') < text) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  return {
    add(name) {
      if (!removed.delete(name)) added.add(name);
    },
    remove(name) {
      if (!added.delete(name)) removed.add(name);
    },
    page(prefix, after, maxNames) {
      settle();
      let at = placeOf(after < prefix ? prefix : after);
      if (sorted[at] === after) at += 1;
      const names: string[] = [];
      for (let name = sorted[at]; name?.startsWith(prefix) && names.length < maxNames; name = sorted[at]) {
        names.push(name);
        at += 1;
      }
      return names;
    },
  };
}
