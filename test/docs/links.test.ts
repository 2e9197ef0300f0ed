// Proves that what the pages for strangers point at is there: links to files and headings, tests, npm scripts,
// files of .ci.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import project from '../../package.json' with { type: 'json' };
import { blocksOf } from './blocks.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const pages = ['.', 'docs'].flatMap((folder) =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name)),
);

/** The anchors that GitHub makes of the headings of a page. */
function anchorsOf(path: string): string[] {
  return [...read(path).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

for (const page of pages) {
  describe(page, () => {
    const text = read(page);

    it('links to what is there', () => {
      for (const [, target = ''] of text.matchAll(/\]\((?!https?:)([^)]+)\)/g)) {
        const [file = '', anchor] = target.split('#');
        const path = file === '' ? page : join(dirname(page), file);
        assert.ok(existsSync(join(root, path)), `${target} is not there`);
        if (anchor !== undefined) assert.ok(anchorsOf(path).includes(anchor), `${target}: no such heading`);
      }
    });

    it('names tests that there are, or that its reader makes', () => {
      const made = new Set(blocksOf(page).map((block) => block.file));
      for (const [, path = ''] of text.matchAll(/`(test\/[\w./-]+)`/g)) {
        assert.ok(existsSync(join(root, path)) || made.has(path), `${path} is not there`);
      }
    });

    it('names scripts and files of CI that there are', () => {
      for (const [, script = ''] of text.matchAll(/npm run ([\w:]+)/g))
        assert.ok(script in project.scripts, script);
      for (const [file] of text.matchAll(/(?<![\w/.])\.(?:ci|github)\/[\w./-]*\w/g)) {
        assert.ok(existsSync(join(root, file)), `${file} is not there`);
      }
    });
  });
}
