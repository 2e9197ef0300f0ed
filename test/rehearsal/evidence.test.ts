// Proves that nothing passes without evidence: a deployment of nothing, a version that something else rolled back, a
// fault that touched nothing, tasks that are not confined as defined, a secret in a log of the load balancer.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { type Confinement, deviations, problemsOf } from '../../rehearsal/confinement.ts';
import { notRun } from '../../rehearsal/fault.ts';
import { fill, lastTime } from '../../rehearsal/faults/machine-faults.ts';
import { mustComplete, mustRollBackBy } from '../../rehearsal/outcome.ts';
import { logsOf, mustNotHave } from '../../rehearsal/secrets.ts';
import type { ContainerProperties } from '../../rehearsal/template.ts';

const complete = { isComplete: true, seconds: 1 };
const rolledBack = (reason: string) => ({ isComplete: false, reason, seconds: 1 });
const byAlarm = rolledBack('the alarm Hello-roll-back');
const byBreaker = rolledBack('the circuit breaker: 3 tasks failed');

describe('a deployment', () => {
  it('that is to stay has replaced something, and is complete', () => {
    assert.deepEqual(mustComplete([complete]), []);
    assert.equal(mustComplete([]).length, 1);
    assert.match(mustComplete([complete, byAlarm]).join(), /^rolled back: the alarm/);
  });

  it('that must not stay is rolled back in each service, by what has to', () => {
    assert.deepEqual(mustRollBackBy('the alarm', [byAlarm]), []);
    assert.deepEqual(mustRollBackBy('the circuit breaker', [byBreaker]), []);
    assert.match(mustRollBackBy('the alarm', [byBreaker]).join(), /something else than the alarm/);
    assert.match(mustRollBackBy('the circuit breaker', [byAlarm]).join(), /something else/);
    assert.match(mustRollBackBy('the alarm', [byAlarm, complete]).join(), /stayed/);
    assert.equal(mustRollBackBy('the alarm', []).length, 1);
  });
});

describe('a fault', () => {
  it('that touched nothing was not run', () => {
    assert.deepEqual(notRun(0, 'no request was delayed'), ['NOT RUN: no request was delayed']);
    assert.deepEqual(notRun(1, 'no request was delayed'), []);
  });

  it('fills a disk only where there is no more room', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'evidence-'));
    assert.equal(await fill('/dev/full'), 'full');
    assert.equal(await fill(join(folder, 'roomy'), 1), 'has room');
    assert.equal(await fill(join(folder, 'missing', 'file')), 'not written');
    await rm(folder, { recursive: true });
  });

  it('reads the clock of a task from its last line that tells one', () => {
    const line = (time: string) => `2026-01-01T00:00:00Z stdout F {"level":30,"time":${time},"msg":"x"}\n`;
    assert.equal(lastTime(`${line('1')}${line('1700000000000')}other\n`), 1_700_000_000_000);
    assert.equal(lastTime(line('"2026-01-01T00:00:00.000Z"')), Date.UTC(2026, 0, 1));
    assert.equal(lastTime('hello\n'), undefined);
  });
});

describe('confinement', () => {
  const definition: ContainerProperties = {
    Name: 'Web',
    Image: '',
    User: '65532:65532',
    ReadonlyRootFilesystem: true,
    LinuxParameters: { Capabilities: { Drop: ['ALL'] } },
    DockerSecurityOptions: ['no-new-privileges'],
  };
  const task = { Cpu: '256', Memory: '512', ContainerDefinitions: [definition] };
  const seen: Confinement = {
    uid: '65532',
    isReadOnly: true,
    capabilities: '0000000000000000',
    hasNoNewPrivileges: true,
    cpus: 0.25,
    memoryMiB: 512,
  };

  it('is as defined', () => {
    assert.deepEqual(deviations(seen, task, definition), []);
    assert.deepEqual(deviations({ ...seen, userName: 'web' }, task, { ...definition, User: 'web' }), []);
  });

  const others: Partial<Confinement>[] = [
    { uid: '0' },
    { isReadOnly: false },
    { capabilities: '00000000a80425fb' },
    { hasNoNewPrivileges: false },
    { cpus: undefined },
    { cpus: 0.5 },
    { memoryMiB: undefined },
    { memoryMiB: 1024 },
  ];
  for (const other of others) {
    const [[name = '', value] = []] = Object.entries(other);
    it(`is another with ${name} ${value}`, () => {
      assert.equal(deviations({ ...seen, ...other }, task, definition).length, 1);
    });
  }

  it('of no task, of no container, or of one without definition is a problem', () => {
    const look = () => seen;
    assert.deepEqual(problemsOf('Hello', task, [], look), ['Hello has no task']);
    const none = [{ task: { id: 'a1', containers: [] } }];
    assert.match(problemsOf('Hello', task, none, look).join(), /has no container/);
    const named = (name: string) => [{ task: { id: 'a1', containers: [{ name }] } }];
    assert.deepEqual(problemsOf('Hello', task, named('net-a1-web'), look), []);
    assert.match(problemsOf('Hello', task, named('net-a1-other-web'), look).join(), /has no definition/);
  });
});

it('A secret is found in the logs of tasks and of the load balancer', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'evidence-'));
  mkdirSync(join(folder, 'logs'));
  mkdirSync(join(folder, 'load-balancer'));
  const paths = ['logs/task.log', 'load-balancer/access.log', 'load-balancer/envoy.log'].map((it) =>
    join(folder, it),
  );
  const write = (texts: readonly string[]) => {
    for (const [index, path] of paths.entries()) writeFileSync(path, texts[index] ?? '');
  };
  write([]);
  await mustNotHave(['a-secret'], logsOf(folder));
  for (const index of paths.keys()) {
    write(paths.map((_, at) => (at === index ? 'with a-secret in it' : '')));
    await assert.rejects(mustNotHave(['a-secret'], logsOf(folder)), /a secret is in/);
  }
  await rm(folder, { recursive: true });
});
