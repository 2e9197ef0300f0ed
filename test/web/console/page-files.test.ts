// Proves that the page is built of its sources for browsers: one module without imports, minified, and one style; that
// a change is there when it is built again; and that a mistake in a source is told.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { buildPage } from '../../../functions/web/console/page-files.ts';

const folder = mkdtempSync(join(tmpdir(), 'users-page-'));
after(() => rmSync(folder, { recursive: true }));

const html = '<!doctype html>\n<title>é</title>\n';
const write = (name: string, text: string) => writeFileSync(join(folder, name), text);

it('is built of its sources as they are', async () => {
  write('index.html', html);
  write('app.css', 'body {\n  color: red;\n}\n');
  write('greeting.ts', "/** A reason. */\nexport const greeting: string = 'hello';\n");
  write('app.ts', "import { greeting } from './greeting.ts';\ndocument.title = greeting;\n");
  const page = await buildPage(folder);
  assert.equal(page.html, html);
  assert.equal(page.css, 'body{color:red}\n');
  assert.match(page.js, /document\.title=\w+;?\n$/);
  assert.match(page.js, /hello/);
  assert.doesNotMatch(page.js, /\bimport\b|reason/);

  write('greeting.ts', "export const greeting: string = 'good evening';\n");
  assert.match((await buildPage(folder)).js, /good evening/);
});

it('is not built of what is wrong, or not there', async () => {
  write('app.ts', 'const = ;\n');
  await assert.rejects(buildPage(folder), /Build failed/);
  await assert.rejects(buildPage(join(folder, 'nowhere')));
});
