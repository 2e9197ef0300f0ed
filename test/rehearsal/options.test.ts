// Proves that a rehearsal takes its options, and answers others with how to use it, before anything is started.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readOptions } from '../../rehearsal/options.ts';

it('has defaults', () => {
  const { rounds, faults, checks, context, minuteMs, report } = readOptions([]);
  assert.deepEqual([rounds, faults, checks, context, minuteMs], [2, [], [], {}, 5_000]);
  assert.equal(report, 'dist/rehearsal.html');
});

it('reads what is given', () => {
  const given = readOptions(
    '--rounds 100 --fault killed --fault hung -c deployment=canary -c a=b=c --minute 60'.split(' '),
  );
  assert.deepEqual([given.rounds, given.faults, given.minuteMs], [100, ['killed', 'hung'], 60_000]);
  assert.deepEqual(given.context, { deployment: 'canary', a: 'b=c' });
});

it('reads which home is rehearsed', () => {
  assert.equal(readOptions([]).home, 'container');
  const given = readOptions('--home function --rounds 3 -c rateLimit=100'.split(' '));
  assert.deepEqual([given.home, given.rounds, given.context], ['function', 3, { rateLimit: '100' }]);
});

it('reads what is to be called of another app', () => {
  const app = ['--app', 'npx node infra/examples/app.ts', '--stack', 'Shop'];
  const calls = ['--call', '/shop.Orders/Greet', '--call', '/shop.Stock/Greet', '--failing', 'FAIL=1'];
  const given = readOptions([...app, ...calls]);
  assert.deepEqual([given.app, given.stack], ['npx node infra/examples/app.ts', 'Shop']);
  assert.deepEqual(given.calls, ['/shop.Orders/Greet', '/shop.Stock/Greet']);
  assert.deepEqual(given.failing, { FAIL: '1' });
});

for (const [args, reason] of [
  ['--round 3', /Unknown option/],
  ['--home lambda', /--home must be container or function, not lambda/],
  ['--home function --fault killed', /--fault is for containers: leave it out with --home function/],
  ['-c home=function', /-c home: give --home instead/],
  ['--rounds many', /--rounds must be a whole number from 0 to 9999, not many/],
  ['--rounds 12345', /--rounds must be a whole number from 0 to 9999, not 12345/],
  ['--minute 0', /--minute must be a whole number from 1 to 9999, not 0/],
  ['-c canary', /NAME=VALUE/],
  ['--app x', /--app and --stack belong together/],
  ['--call /a.B/C', /for another --app/],
  ['--app x --stack X --call health', /--call health: \/PACKAGE.SERVICE\/METHOD is needed/],
  ['--app x --stack X --failing F', /--failing F: NAME=VALUE/],
  ['--fault earthquake', /no fault earthquake/],
] as const) {
  it(`refuses ${args}`, () => {
    assert.throws(() => readOptions(args.split(' ')), reason);
  });
}

it('says how to use it', () => {
  const main = fileURLToPath(new URL('../../rehearsal/main.ts', import.meta.url));
  const tell = (arg: string) => spawnSync(process.execPath, [main, arg], { encoding: 'utf8' });
  const asked = tell('--help');
  assert.equal(asked.status, 0);
  assert.match(asked.stdout, /^usage: .*\n +--home HOME .*\n +--rounds N/);
  assert.equal(asked.stderr, '');
  const unknown = tell('--round');
  assert.equal(unknown.status, 2);
  assert.match(unknown.stderr, /--rounds N/);
});
