// Proves that SIGTERM to `npm start` and to `npm run dev` drains the server, and leaves no process behind: npm passes
// the signal on to what it has started, which must be Node and no shell (https://github.com/npm/run-script/issues/237).
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { it, type TestContext } from 'node:test';
import { fromHere, root } from '../support/process.ts';

/** Starts a script of package.json in a process group of its own, of which nothing outlives the test. */
function npmRun(t: TestContext, script: string) {
  const child = spawn('npm', ['run', '--silent', script], {
    cwd: root,
    detached: true,
    env: { ...fromHere(), PORT: '0', USERS_STORE: 'memory', LOG_FORMAT: 'json' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const group = -(child.pid ?? assert.fail('npm did not start'));
  t.after(() => {
    if (isAlive(group)) process.kill(group, 'SIGKILL');
  });
  return { child, group };
}

function isAlive(group: number): boolean {
  try {
    return process.kill(group, 0);
  } catch {
    return false;
  }
}

for (const script of ['start', 'dev']) {
  it(`npm run ${script}`, async (t) => {
    const { child, group } = npmRun(t, script);
    const exited = once(child, 'exit');
    const closed = once(child, 'close');
    const messages: string[] = [];
    createInterface(child.stdout).on('line', (line) => {
      const { msg } = JSON.parse(line);
      messages.push(msg);
      if (msg === 'listening') child.kill('SIGTERM');
    });
    const [code, signal] = await exited;
    assert.deepEqual([code, signal], [0, null]);
    assert.ok(!isAlive(group), 'a process lives on');
    await closed;
    assert.deepEqual(messages.slice(-2), ['draining', 'drained']);
  });
}
