// Proves that the suite runs as the home can that E2E_HOME names, and that a name which is none is told before a call
// is made.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { afterEach, test } from 'node:test';
import { fromHere, root } from '../support/process.ts';
import { anywhere, homeFromEnvironment, webFunction } from './home.ts';

afterEach(() => {
  delete process.env.E2E_HOME;
});

test('it is everything, unless E2E_HOME is function', () => {
  assert.equal(homeFromEnvironment(), anywhere);
  process.env.E2E_HOME = '';
  assert.equal(homeFromEnvironment(), anywhere);
  process.env.E2E_HOME = 'function';
  assert.equal(homeFromEnvironment(), webFunction);
});

for (const [E2E_HOME, defined] of [
  ['', ' grpc over HTTP/2: '],
  ['function', ' not here: grpc over HTTP/2: '],
] as const) {
  test(`npm run test:endpoint is the suite of ${E2E_HOME || 'any home'}`, () => {
    // No endpoint at all, so that every test fails at once: what they are called is what is looked at.
    const { stdout } = run({ E2E_HOME, USERS_ENDPOINT: 'nowhere' });
    assert.ok(stdout.includes(`✖${defined}`), stdout);
  });
}

test('a home that there is not is told in a sentence', () => {
  const { status, stderr } = run({ E2E_HOME: 'lambda', USERS_ENDPOINT: 'nowhere' });
  assert.equal(stderr, 'E2E_HOME is one of anywhere, function, not "lambda"\n');
  assert.equal(status, 1);
});

function run(env: NodeJS.ProcessEnv) {
  return spawnSync(process.execPath, ['test/e2e/endpoint.ts'], {
    cwd: root,
    encoding: 'utf8',
    env: { ...fromHere(), ...env },
  });
}
