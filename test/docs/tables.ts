import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The text of a page of the documentation. */
export function page(name: string): string {
  return readFileSync(join(import.meta.dirname, '../../docs', name), 'utf8');
}

/**
 * The rows of the tables under a heading, or of the whole page, without their heads; code marks removed at the ends.
 */
export function rowsOf(text: string, heading?: string): string[][] {
  const section = heading === undefined ? text : text.split(/^## /m).find((it) => it.startsWith(heading));
  if (section === undefined) throw new Error(`there is no heading "${heading}"`);
  const rows = section.split('\n').filter((line) => line.startsWith('| `'));
  return rows.map((line) =>
    line
      .slice(2, -2)
      .split(' | ')
      .map((cell) => cell.replace(/^`([^`]*)`$/, '$1')),
  );
}
