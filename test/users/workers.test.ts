// Proves, with real processes on one SQLite file, that several workers are one service: who signs up by one is found by
// all; no call fails for clients that try again while a worker is killed and another serves; each worker has an admin
// port, its part of the memory, and its number in every line of the log; SIGHUP renews the certificate of all; and what
// several can not have is refused.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { availableParallelism, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { createUsersClient, type UsersClient } from '../../client/client.ts';
import { sharedHeapFlags } from '../../functions/process/memory.ts';
import { ConfigError } from '../../functions/process/settings.ts';
import { readConfig } from '../../functions/users/config.ts';
import { createAuthority } from '../support/certificates.ts';
import { eventually } from '../support/patience.ts';
import { runMain, ServerProcess } from '../support/process.ts';

/** Workers on a file of their own. */
function run(t: TestContext, settings: NodeJS.ProcessEnv = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'users-'));
  const main = runMain(t, { WORKERS: '2', USERS_STORE: 'sqlite', USERS_DATA: folder, ...settings });
  // After the kill, which `runMain` has seen to.
  t.after(async () => {
    await main.ended;
    rmSync(folder, { recursive: true, maxRetries: 5 });
  });
  return main;
}

const bothListen = (main: ServerProcess) =>
  Promise.all([1, 2].map((worker) => main.line('listening', { worker })));

it('no call fails for clients that try again while a worker is killed, and all find all users', async (t) => {
  const main = run(t);
  const endpoint = await main.url();
  const [first] = await bothListen(main);
  await main.line('all workers listen');
  const failures: string[] = [];
  const signedUp: string[] = [];
  let isOver = false;
  async function load(client: UsersClient, name: string) {
    for (let i = 0; !isOver; i += 1) {
      const username = `${name}-${i}`;
      try {
        await client.createUser({ username });
        signedUp.push(username);
      } catch (error) {
        failures.push(`${username}: ${error}`);
      }
    }
  }
  const retry = { maxAttempts: 50, maxBackoffMs: 200 };
  const clients = Array.from({ length: 6 }, () => createUsersClient({ endpoint, retry }));
  const loads = clients.map((client, at) => load(client, `client-${at}`));
  const reach = async (count: number) => {
    while (signedUp.length < count && failures.length === 0) await new Promise((go) => setTimeout(go, 10));
  };
  await reach(200);
  process.kill(Number(first?.pid), 'SIGKILL');
  await main.line('a worker has ended, and is started again', { worker: 1 });
  await reach(signedUp.length + 200);
  const isBack = () =>
    main.lines().filter(({ msg, worker }) => msg === 'listening' && worker === 1).length > 1;
  assert.ok(await eventually(isBack));
  await reach(signedUp.length + 200);
  isOver = true;
  await Promise.all(loads);
  assert.deepEqual(failures, []);

  // Two connections are of two workers.
  for (const client of [clients[0], createUsersClient({ endpoint, retry })]) {
    const found: string[] = [];
    const user = signedUp.map((username) => ({ username }));
    for await (const { result } of client?.getUsers({ user }) ?? []) {
      if (result.case === 'user') found.push(result.value.username);
    }
    assert.deepEqual(found, signedUp);
    client?.close();
  }
  for (const client of clients) client.close();
  await main.stop();
  const ofCalls = main.lines().filter(({ method }) => method === '/Users/CreateUser');
  assert.deepEqual([...new Set(ofCalls.map(({ worker }) => worker))].sort(), [1, 2]);
});

it('each has an admin port, one after the other', async (t) => {
  const port = await twoFreePorts();
  const main = run(t, { ADMIN_PORT: String(port) });
  const lines = await bothListen(main);
  for (const [at, { adminPort }] of lines.entries()) {
    assert.equal(adminPort, port + at);
    assert.equal(await (await fetch(`http://127.0.0.1:${adminPort}/readyz`)).text(), 'READY\n');
  }
  await main.stop();
});

it('each has an admin port where any will do', async (t) => {
  const main = run(t, { ADMIN_PORT: '0' });
  const [first, second] = await bothListen(main);
  assert.notEqual(first?.adminPort, second?.adminPort);
  await main.stop();
});

it('SIGHUP renews the certificate of all', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'users-renewal-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const authority = await createAuthority();
  const settings = { TLS_CERT_FILE: join(folder, 'cert.pem'), TLS_KEY_FILE: join(folder, 'key.pem') };
  const { cert, key } = await authority.issue({ ip: ['127.0.0.1'] });
  writeFileSync(settings.TLS_CERT_FILE, cert);
  writeFileSync(settings.TLS_KEY_FILE, key);
  const main = run(t, settings);
  await main.line('all workers listen');
  main.child.kill('SIGHUP');
  await Promise.all([1, 2].map((worker) => main.line('the TLS files were read again', { worker })));
  await main.stop();
});

it('each has its part of the memory', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'users-'));
  const args = ['--max-old-space-size-percentage=10', 'functions/main.ts'];
  await using main = new ServerProcess({ args, settings: { WORKERS: '2', USERS_DATA: folder } });
  t.after(() => rmSync(folder, { recursive: true, maxRetries: 5 }));
  const allMiB = Math.min(process.constrainedMemory() || totalmem(), totalmem()) / 2 ** 20;
  for (const { memoryMiB } of await bothListen(main)) {
    // The young generation comes on top.
    assert.ok(Number(memoryMiB) < 0.05 * allMiB + 256, `${memoryMiB} of ${allMiB} MiB`);
  }
  await main.stop();
});

it('flags that bound the heap hold for all workers together', () => {
  const flags = [
    '--max-old-space-size-percentage=50',
    '--max_old_space_size=1024',
    '--max-semi-space-size=12',
  ];
  assert.deepEqual(sharedHeapFlags(flags, 3), [
    `--max-old-space-size-percentage=${50 / 3}`,
    '--max_old_space_size=341',
    '--max-semi-space-size=12',
  ]);
});

describe('settings that several workers can not have, or share, are refused:', () => {
  const range = 'WORKERS must be auto or a whole number from 1 to 256';
  const console =
    'WORKERS must be 1 with CONSOLE=1: it would show the calls of one worker alone; set CONSOLE=0';
  const memory = 'WORKERS must be 1 with USERS_STORE=memory: each worker would have users of its own';
  const cases: [Record<string, string>, string][] = [
    [{ WORKERS: '2', CONSOLE: '1' }, console],
    // Also where it is one here: elsewhere it would not start.
    [{ WORKERS: 'auto', CONSOLE: '1' }, console],
    [{ WORKERS: 'auto', USERS_STORE: 'memory' }, memory],
    [{ WORKERS: '257' }, `${range}, not "257"`],
    [{ WORKERS: '1.5' }, `${range}, not "1.5"`],
    [
      { WORKERS: '3', ADMIN_PORT: '50049' },
      'ADMIN_PORT (50049 to 50051, one for each worker) must not be PORT',
    ],
    [{ WORKERS: '3', ADMIN_PORT: '65534' }, 'ADMIN_PORT must be at most 65533 with that many WORKERS'],
  ];
  for (const [env, problem] of cases) {
    it(problem, () => {
      assert.throws(
        () => readConfig(env),
        (error) => error instanceof ConfigError && error.message === problem,
      );
    });
  }
});

it('`auto` is as many as there are cores, and one is the default', () => {
  assert.equal(readConfig({ WORKERS: 'auto' }).workers, availableParallelism());
  assert.equal(readConfig({}).workers, 1);
  for (const env of [{ CONSOLE: '1' }, { USERS_STORE: 'memory' }]) {
    assert.equal(readConfig({ ...env, WORKERS: '1' }).workers, 1);
  }
});

/** A port that is free, as is the next one. */
async function twoFreePorts(): Promise<number> {
  const isFree = async (port: number) => {
    const server = net.createServer();
    const { promise, resolve } = Promise.withResolvers<number | undefined>();
    server.once('error', () => resolve(undefined));
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' ? address?.port : undefined));
    });
    return promise;
  };
  for (;;) {
    const port = await isFree(0);
    if (port !== undefined && port < 65_535 && (await isFree(port + 1)) !== undefined) return port;
  }
}
