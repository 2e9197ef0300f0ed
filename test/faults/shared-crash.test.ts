// Several processes write to one SQLite file, as two servers or as two workers of one, and one of them is killed with
// SIGKILL again and again while many sign up, change, log in and leave by all of them: 2 times, or a tenth of
// CRASH_ROUNDS (`npm run test:faults`: 20, workers 8). Repeats go to whoever lives. In the end all that was
// acknowledged by any of them is there, nothing else, and each exactly once.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Client, createClient } from '@connectrpc/connect';
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node';
import { Users } from '../../proto/gen/users_pb.js';
import { ServerProcess } from '../support/process.ts';
import { assertServed, callers, crashSettings, withClient } from './crash.ts';
import { assertKept } from './kept.ts';
import { keptInSqlite } from './kept-sqlite.ts';
import { isInterruption, People } from './people.ts';

const rounds = process.env.CRASH_ROUNDS === undefined ? 2 : Math.ceil(Number(process.env.CRASH_ROUNDS) / 10);

/** A worker that dies time and again is started later each time. */
const workerRounds = Math.min(rounds, 8);

const stepsPerRound = 60;
const connections = 8;

/** The folder of a file that two processes share, and their settings. */
function shared(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'users-shared-'));
  t.after(() => rmSync(folder, { recursive: true, maxRetries: 5 }));
  // Nothing is tried again but what was interrupted; therefore each may wait its turn for long.
  const waits = ['SQLITE_BUSY_TIMEOUT_MS', 'STORE_TIMEOUT_MS', 'DEFAULT_DEADLINE_MS'];
  const patient = Object.fromEntries(waits.map((name) => [name, '60000']));
  return { folder, settings: { ...crashSettings, ...patient, USERS_DATA: folder } };
}

/** Waits for what comes while others use the machine too. */
async function until(condition: () => boolean): Promise<void> {
  const giveUpAtMs = performance.now() + 60_000;
  while (!condition()) {
    assert.ok(performance.now() < giveUpAtMs, 'it has not come');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Where people call: one connection to each of these URLs, and again where it is lost. */
class Load {
  readonly people = new People();
  interrupted = 0;
  steps = 0;
  #isOver = false;
  readonly #urls: string[];
  readonly #sessions = new Map<string, Http2SessionManager>();

  constructor(urls: readonly string[]) {
    this.#urls = [...urls];
  }

  /** From now on, calls go to `url` that went to the server of this number. */
  replace(at: number, url: string): void {
    this.#urls[at] = url;
  }

  /** Takes steps until told to end, and ends at once when one fails that no kill explains. */
  async run(): Promise<void> {
    await Promise.all(Array.from({ length: callers }, () => this.#keepStepping()));
  }

  /** Resolves after so many more steps. */
  async reach(more: number): Promise<void> {
    const wanted = this.steps + more;
    await until(() => this.steps >= wanted);
  }

  end(): void {
    this.#isOver = true;
  }

  close(): void {
    for (const session of this.#sessions.values()) session.abort();
  }

  async #keepStepping(): Promise<void> {
    while (!this.#isOver) {
      try {
        await this.people.step(this.#client(), this.#client());
        this.steps += 1;
      } catch (error) {
        if (!isInterruption(error)) throw error;
        if (!String(error).includes('ECONNREFUSED')) this.interrupted += 1;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }

  /** One of several connections, since each is of one worker. */
  #client(): Client<typeof Users> {
    const at = Math.floor(Math.random() * connections);
    const baseUrl = this.#urls[at % this.#urls.length] ?? '';
    const name = `${at} ${baseUrl}`;
    const sessionManager = this.#sessions.get(name) ?? new Http2SessionManager(baseUrl);
    this.#sessions.set(name, sessionManager);
    return createClient(Users, createGrpcTransport({ baseUrl, sessionManager }));
  }
}

/** Lets people call while the kills go on; then all that is left is repeated, and looked at, by `url`. */
async function survives(load: Load, kills: () => Promise<void>, url: () => Promise<string>): Promise<void> {
  try {
    const running = load.run();
    await Promise.race([running, kills()]);
    load.end();
    await running;
  } finally {
    load.end();
    load.close();
  }
  await withClient(await url(), async (client) => {
    await load.people.finish(client);
    await assertServed(client, load.people);
  });
  assert.ok(load.interrupted > 0, 'the kills met calls under way');
}

const counts = ({ people, interrupted }: Load, kills: number) =>
  `${Object.entries(people.done)
    .map(([kind, count]) => `${count} ${kind}s`)
    .join(', ')}; ${kills} kills interrupted ${interrupted} calls`;

test(`two servers on one SQLite file: either is killed, ${rounds} times, and the other goes on`, async (t) => {
  const { folder, settings } = shared(t);
  const start = () => {
    const server = new ServerProcess({ settings });
    t.after(() => server.kill());
    return server;
  };
  const servers = [start(), start()];
  const urls = await Promise.all(servers.map((it) => it.url()));
  const load = new Load(urls);
  const kills = async () => {
    for (let round = 0; round < rounds; round += 1) {
      await load.reach(Math.random() * stepsPerRound);
      const at = round % 2;
      assert.ok(await servers[at]?.kill(), 'it had ended by itself');
      await load.reach(callers);
      const next = start();
      servers[at] = next;
      load.replace(at, await next.url());
    }
    await load.reach(stepsPerRound);
  };
  await survives(load, kills, () => servers[0]?.url() ?? assert.fail());
  for (const server of servers) await server.kill();
  await assertKept(keptInSqlite(folder), load.people);
  t.diagnostic(counts(load, rounds));
});

test(`WORKERS=2: either is killed, ${workerRounds} times, and the other goes on`, async (t) => {
  const { folder, settings } = shared(t);
  const server = new ServerProcess({ settings: { ...settings, WORKERS: '2' } });
  t.after(() => server.kill());
  await server.line('all workers listen');
  const starts = (worker: number) =>
    server.lines().filter((line) => line.msg === 'listening' && line.worker === worker);
  const load = new Load([await server.url()]);
  const kills = async () => {
    for (let round = 0; round < workerRounds; round += 1) {
      await load.reach(Math.random() * stepsPerRound);
      const worker = 1 + (round % 2);
      const before = starts(worker);
      process.kill(Number(before.at(-1)?.pid), 'SIGKILL');
      await load.reach(callers);
      await until(() => starts(worker).length > before.length);
    }
    await load.reach(stepsPerRound);
  };
  await survives(load, kills, () => server.url());
  await server.stop();
  await assertKept(keptInSqlite(folder), load.people);
  t.diagnostic(counts(load, workerRounds));
});
