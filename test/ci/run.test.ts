// Proves that .ci/run lists its steps, runs the named ones and fails as they do, and that `npm test -- PATH` runs a
// part and fails where there is no test.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** Without what tells node's test runner that it is run by another. */
const { NODE_TEST_CONTEXT: _, ...env } = process.env;
const run = (command: string, ...args: string[]) =>
  spawnSync(command, args, { cwd: root, encoding: 'utf8', env });

describe('.ci/run', () => {
  const listed = run('.ci/run', '--list')
    .stdout.trim()
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '');

  it('lists every step there is', () => {
    const source = readFileSync(join(root, '.ci/run'), 'utf8');
    const defined = [...source.matchAll(/^step_(\w+)\(\)/gm)].map(([, name]) => name);
    assert.ok(listed.length > 5);
    assert.deepEqual(listed, defined);
  });

  it('runs the steps that are named', () => {
    const { status, stdout } = run('.ci/run', 'node', 'node');
    assert.equal(status, 0, stdout);
    assert.deepEqual(stdout.match(/^=== .+(?= \()/gm), ['=== node', '=== node', '=== Done: node node']);
  });

  it('refuses a step that it does not know before it runs any', () => {
    const { status, stdout, stderr } = run('.ci/run', 'node', 'tset');
    assert.equal(status, 2);
    assert.equal(stdout, '');
    assert.match(stderr, /^there is no step "tset"\. The steps:\n {2}system /);
  });

  it('is what the workflow calls, with steps that there are', () => {
    const workflow = readFileSync(join(root, '.github/workflows/ci.yml'), 'utf8');
    const called = [...workflow.matchAll(/steps: (.+)$/gm)].flatMap(([, steps]) => steps?.split(' ') ?? []);
    assert.deepEqual(new Set(called), new Set(listed.filter((step) => step !== 'system')));
  });
});

describe('npm test -- PATH', () => {
  const folder = mkdtempSync(join(tmpdir(), 'users-part-'));
  process.on('exit', () => rmSync(folder, { recursive: true }));
  const runTests = (...args: string[]) => run(process.execPath, join(root, 'test/run.ts'), ...args);

  it('runs the tests of that folder', () => {
    const file = join(folder, 'one.test.ts');
    writeFileSync(file, "import { it } from 'node:test';\nit('the one test', () => {});\n");
    writeFileSync(join(folder, 'no-test.ts'), 'process.exit(7);\n');
    for (const path of [folder, `${folder}/`, file]) {
      const { status, stdout } = runTests(path);
      assert.equal(status, 0, stdout);
      assert.match(stdout, /the one test[\s\S]+tests 1\n/);
    }
  });

  it('fails as they do', () => {
    const file = join(folder, 'red.test.ts');
    writeFileSync(file, "import { it } from 'node:test';\nit('fails', () => { throw new Error('red'); });\n");
    assert.equal(runTests(file).status, 1);
    assert.equal(runTests('--test-name-pattern=none-such', file).status, 0, 'options reach the runner');
  });

  for (const path of ['docs', 'test/none']) {
    it(`fails for ${path}, where there is no test`, () => {
      const { status, stderr } = runTests(path);
      assert.equal(status, 2);
      assert.match(stderr, /^There is no test in "/);
    });
  }
});
