import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

/** A file that docs/one-machine.md shows. */
export interface ShownFile {
  /** Where the page says it belongs. */
  readonly path: string;
  readonly text: string;
}

/** The files that docs/one-machine.md shows, in order: blocks below a line that ends with their path and a colon. */
export function shownFiles(): ShownFile[] {
  const page = readFileSync(new URL('../../docs/one-machine.md', import.meta.url), 'utf8');
  return [...page.matchAll(/`(\/(?:etc|usr)\/[^`\n]+)`:\n\n```\w+\n([\s\S]*?)^```$/gm)].map(
    ([, path = '', text = '']) => ({ path, text }),
  );
}

/**
 * The text of one of them, the first of its path.
 *
 * @param changes texts of the file, and what a test has in their place
 */
export function shownFile(path: string, changes: Readonly<Record<string, string>> = {}): string {
  const found = shownFiles().find((it) => it.path === path) ?? assert.fail(`the page does not show ${path}`);
  let { text } = found;
  for (const [shown, tested] of Object.entries(changes)) {
    assert(text.includes(shown), `${path} has no "${shown}"`);
    text = text.replaceAll(shown, tested);
  }
  return text;
}
