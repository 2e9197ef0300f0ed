import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { createUsersClient } from '../../client/client.ts';
import { blocksOf } from '../docs/blocks.ts';
import { runMain } from '../support/process.ts';

/** A series that a query found, by its labels. */
export interface Found {
  readonly metric: Readonly<Record<string, string>>;
}

/** A Prometheus that scrapes a server which has answered calls of many kinds. */
export interface ScrapedServer {
  /** Asks for the value now. @throws Error with what Prometheus says, when it can't be asked so */
  query(promql: string): Promise<readonly Found[]>;
}

/** How often is scraped: a rate takes two. */
const scrapeIntervalMs = 250;
/** Long enough for a slow machine that is busy. */
const scrapedWithinMs = 30_000;

/** Starts both, and waits until rates can be asked for. They end with the test. */
export async function startScraped(t: TestContext): Promise<ScrapedServer> {
  // With little room for young objects, garbage is collected in the time that the test has.
  const main = runMain(t, { ADMIN_PORT: '0', NODE_OPTIONS: '--max-semi-space-size=1' });
  const url = await main.url();
  const { adminPort } = await main.line('listening');
  await callAllKinds(url);
  const prometheus = await startPrometheus(t, `127.0.0.1:${adminPort}`);
  const query = async (promql: string) => {
    const body = new URLSearchParams({ query: promql });
    const response = await fetch(`${prometheus}/api/v1/query`, { method: 'POST', body });
    const { status, error, data } = JSON.parse(await response.text());
    if (status !== 'success') throw new Error(`${error}: ${promql}`);
    return data.result;
  };
  const enough = 'sum_over_time(up{job="users"}[1m]) >= 3';
  const giveUpAtMs = performance.now() + scrapedWithinMs;
  while ((await query(enough)).length === 0) {
    assert(performance.now() < giveUpAtMs, `Prometheus can't scrape 127.0.0.1:${adminPort}`);
    await new Promise((resolve) => setTimeout(resolve, scrapeIntervalMs));
  }
  return { query };
}

/** Makes calls by each protocol that end well, are refused, and miss a deadline. */
async function callAllKinds(url: string): Promise<void> {
  using users = createUsersClient({ endpoint: url });
  const password = 'correct horse battery';
  await users.createUser({ username: 'tom', password });
  const key = { key: { case: 'username', value: 'tom' } } as const;
  await users.checkPassword({ key, password });
  await users.checkPassword({ key, password: 'another one' }).catch(() => {});
  for await (const _ of users.getUsers({ user: [{ username: 'tom' }, { username: 'nobody' }] }));
  const post = async (body: object, headers: Record<string, string> = {}) => {
    const json = { 'content-type': 'application/json', ...headers };
    const init = { method: 'POST', headers: json, body: JSON.stringify(body) };
    await (await fetch(`${url}/Users/CreateUser`, init)).text();
  };
  await post({ username: 'tom' });
  await post({ username: 'ann', password }, { 'connect-timeout-ms': '1' });
  await post({ username: 'eve', password }, { 'connect-timeout-ms': '10000' });
  await (await fetch(`${url}/users/?username=tom`)).text();
}

/**
 * Starts Prometheus with the configuration that docs/watching.md shows, but for the target and the time. It scrapes
 * `/metrics` of the target and ends with the test. Returns its URL.
 */
export async function startPrometheus(t: TestContext, target: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'users-prometheus-'));
  const file = join(folder, 'prometheus.yml');
  const shown = blocksOf('docs/watching.md').find(({ language }) => language === 'yaml');
  const { text } = shown ?? assert.fail('docs/watching.md shows no configuration');
  writeFileSync(file, text.replace('15s', `${scrapeIntervalMs}ms`).replace('127.0.0.1:9464', target));
  const child = spawn(
    'prometheus',
    [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      '--web.listen-address=127.0.0.1:0',
      '--enable-feature=exemplar-storage',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const ended = once(child, 'close');
  t.after(async () => {
    child.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true });
  });
  const printed: string[] = [];
  for await (const line of createInterface(child.stderr)) {
    printed.push(line);
    const all = printed.join('\n');
    const [, address] = /msg="Listening on" address=(\S+)/.exec(all) ?? [];
    // It says both, in either order.
    if (address === undefined || !all.includes('Server is ready')) continue;
    child.stderr.resume();
    return `http://${address}`;
  }
  throw new Error(`Prometheus did not start:\n${printed.join('\n')}`);
}
