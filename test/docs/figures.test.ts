// Proves that no page has a place for figures that nothing was written into, nor what a merge has left.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

for (const folder of ['.', 'docs']) {
  for (const name of readdirSync(join(root, folder)).filter((it) => it.endsWith('.md'))) {
    describe(join(folder, name), () => {
      const text = readFileSync(join(root, folder, name), 'utf8');

      it('has figures wherever it has a place for them', () => {
        const places = text.matchAll(/<!-- figures: (\w+) -->\n([\s\S]*?)<!-- end -->/g);
        const empty = [...places].filter(([, , figures = '']) => figures.trim() === '');
        const names = empty.map(([, place]) => place);
        assert.deepEqual(
          names,
          [],
          'write them: `npm run bench -- PART --write`, or `npx node infra/capacity.ts --write`',
        );
      });

      it('has no conflict markers', () => assert.doesNotMatch(text, /^(?:<{7}|={7}|>{7}|\|{7})(?: |$)/m));
    });
  }
}
