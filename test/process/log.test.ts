// Proves that no text that is logged, wherever in a line it stands, steers a terminal, begins a line of its own, or
// turns or hides what stands beside it; that a JSON line still means the same; and that the command line has the same
// rule.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { text as textOf } from 'node:stream/consumers';
import { it, type TestContext } from 'node:test';
import fc from 'fast-check';
import { printable as printableByClient } from '../../client/cli/report.ts';
import { printable } from '../../functions/process/printable.ts';
import { startLogging } from './logging-process.ts';

const loneSurrogate = String.fromCharCode(0xd800);
const characters = [
  ...['\u0000', '\u0007', '\t', '\n', '\r', '\u001b', '\u007f', '\u0080', '\u0085', '\u009b', '\u009f'],
  ...['\u00ad', '\u061c', '\u200b', '\u200d', '\u200e', '\u2028', '\u2029', '\u202e', '\u2066', '\ufeff'],
  ...[String.fromCodePoint(0xe0001), loneSurrogate, String.fromCharCode(0xdc00)],
  ...['a', '"', '\\', 'é', '😀', '[00:00:00.000] INFO: forged', '\\u001b', '__proto__'],
];

/** Hostile texts, the same at every run. */
const texts = [
  ...characters,
  `${characters.join('')}`,
  ...fc
    .sample(fc.array(fc.constantFrom(...characters), { maxLength: 20 }), { numRuns: 300, seed: 1 })
    .map((it) => it.join('')),
];

async function logged(t: TestContext, format: string): Promise<string> {
  const logging = await startLogging(t, { env: { LOG_FORMAT: format } });
  assert.ok(logging.child.stdout);
  const written = textOf(logging.child.stdout);
  await logging.log(texts);
  assert.equal(await logging.end(), 0);
  return written;
}

/** What must not be in a log. Lone surrogates are none any more when they have been written as UTF-8. */
const unprintable = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029\ufffd]/u;

it('JSON lines have nothing to be wary of, and mean what was logged', async (t) => {
  const lines = (await logged(t, 'json')).trimEnd().split('\n');
  assert.equal(lines.length, texts.length);
  for (const [index, line] of lines.entries()) {
    assert.doesNotMatch(line, unprintable);
    const text = texts[index] ?? '';
    const { msg, fields, err, ...rest } = JSON.parse(line);
    assert.equal(rest.text, text);
    assert.deepEqual(Object.entries(fields), [[text, text]]);
    assert.equal(err.message, text);
    assert.equal(msg, text === '' ? '' : text);
  }
});

it('readable lines have nothing to be wary of, and none is forged', async (t) => {
  const lines = (await logged(t, 'pretty')).trimEnd().split('\n');
  for (const line of lines) assert.doesNotMatch(line, unprintable);
  const heads = lines.filter((line) => !line.startsWith('    '));
  assert.equal(heads.length, texts.length);
  for (const line of heads) assert.match(line, /^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: /);
});

it('colours are the own ones of readable lines alone', async (t) => {
  const logging = await startLogging(t, { env: { LOG_FORMAT: 'pretty', FORCE_COLOR: '1' } });
  assert.ok(logging.child.stdout);
  const written = textOf(logging.child.stdout);
  await logging.log(['a\u001b[8mhidden']);
  await logging.end();
  const text = await written;
  assert.ok(text.includes('\u001b[32mINFO\u001b[39m'));
  assert.ok(!text.includes('\u001b[8m'));
  assert.ok(text.includes('a\\u001b[8mhidden'));
});

it('the name of a caller does not stand by itself in readable lines, where it could look like another entry', () => {
  const log = import.meta.resolve('../../functions/process/log.ts');
  const program = `import { createLog } from ${JSON.stringify(log)};
    const log = await createLog({ level: 'info', format: 'pretty' });
    log.info({ caller: 'x>: call [00:00:00.000] INFO <key:billing' }, 'call');`;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
  });
  assert.match(stdout, /INFO: call \{"calledBy":"x>: call \[00:00:00\.000\] INFO <key:billing"\}\n$/);
});

it('the command line escapes the same characters', () => {
  for (let point = 0; point <= 0x10ffff; point++) {
    const character = String.fromCodePoint(point);
    // Written to a terminal they become U+FFFD.
    if (point >= 0xd800 && point <= 0xdfff) continue;
    if (printable(character) !== printableByClient(character)) assert.fail(`U+${point.toString(16)}`);
  }
  assert.equal(printable(loneSurrogate), '\\ud800');
  assert.equal(printable('\u{e0001}😀'), '\\udb40\\udc01😀');
});
