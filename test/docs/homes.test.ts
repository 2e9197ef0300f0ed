// Proves that docs/homes.md has the costs that infra/home-costs.ts calculates, the ways that infra/far-regions.ts
// estimates, and the commands that there are; and that the server starts with the settings that it gives for other
// homes, answers gRPC and the probes, and ends in the time that those homes leave it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createUsersClient } from '../../client/client.ts';
import { readConfig } from '../../functions/users/config.ts';
import { farDollars, farRegions } from '../../infra/far-regions.ts';
import { assumedPrices, homeCosts } from '../../infra/home-costs.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { runMain } from '../support/process.ts';
import { blocksOf } from './blocks.ts';
import { page } from './tables.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const text = page('homes.md');
const block = (section: string, language: string) =>
  blocksOf('docs/homes.md').find((it) => it.section === section && it.language === language)?.text ??
  assert.fail(`${section} has no block of ${language}`);

/** Who may call, which the page leaves to its reader. */
const key = { API_KEY: 'a-key-of-twenty-letters-or-more' };

/** What passes from SIGTERM to the end, at most, in ms. */
const endMs = ({ limits }: ReturnType<typeof readConfig>) =>
  limits.drainDelayMs + limits.drainTimeoutMs + limits.flushTimeoutMs;

test('the costs are those that are calculated', () => {
  assert.ok(
    text.includes(homeCosts()),
    'run `npx node infra/home-costs.ts` and put its table into docs/homes.md',
  );
});

test('what is assumed of the prices of a function is said, with each price', () => {
  const { activeCpu, lambda } = assumedPrices;
  for (const price of [
    `$${activeCpu.vcpuHour} an hour of CPU`,
    `$${activeCpu.gibHour} an hour of a GB`,
    `$${lambda.gibHour.toFixed(3)}`,
    `$${lambda.millionRequests.toFixed(2)}`,
  ])
    assert.ok(text.includes(price), price);
  assert.equal(activeCpu.millionRequests, lambda.millionRequests);
});

test('the command of the costs takes three prices, and says so of one and of what it does not know', () => {
  const tell = (line: string) =>
    spawnSync(process.execPath, [`${root}infra/home-costs.ts`, ...line.split(' ').filter(Boolean)], {
      encoding: 'utf8',
    });
  const all = tell('--request-million 1 --vcpu-hour 0.5 --gib-hour .01');
  assert.match(all.stdout, /^0 calls a second: 5 dollars a month as a function$/m);
  // 2.628 million requests, 0.2 hours of CPU, and 730 h of 2 GiB, beside what watches it.
  assert.match(all.stdout, /^1 calls a second: 22 dollars a month as a function$/m);
  for (const [line, reason] of [
    ['--vcpu-hour 0.5', 'give all three prices: --request-million and --gib-hour too'],
    [
      '--request-million a --vcpu-hour 1 --gib-hour 1',
      '--request-million must be dollars, such as 0.2, not "a"',
    ],
    ['--price 1', "Unknown option '--price'"],
  ] as const) {
    const { status, stderr } = tell(line);
    assert.deepEqual([status, stderr.split('\n')[0]], [2, reason]);
    assert.match(stderr, /^usage: npx node infra\/home-costs.ts \[--request-million DOLLARS/m);
  }
  assert.match(tell('--help').stdout, /^usage: /);
});

test('the ways between regions are those that are estimated', () => {
  assert.ok(
    text.includes(farRegions()),
    'run `npx node infra/far-regions.ts` and put its table into docs/homes.md',
  );
  assert.ok(text.includes(`between regions costs ${farDollars().toFixed(2)} dollars for a million sign-ups`));
});

test('the commands are there', () => {
  for (const [, script = ''] of text.matchAll(/`npm run ([\w:]+)/g))
    assert.ok(script in packageJson.scripts, script);
  for (const [, file = ''] of text.matchAll(/`((?:test|infra)\/[\w/.-]+\.\w+)`/g)) {
    readFileSync(new URL(`../../${file}`, import.meta.url));
  }
});

test('Cloud Run: its settings serve gRPC at the PORT that it sets, and end within its 10 s', async (t) => {
  const lines = block('Cloud Run', 'env').trim().split('\n');
  const settings = Object.fromEntries(lines.map((it) => it.split('=')));
  assert.ok(endMs(readConfig({ ...settings, ...key, PORT: '8080' })) < 10_000);
  await serves(t, settings);
});

test('Kubernetes: its settings serve gRPC and what the probes ask, and end within the grace period', async (t) => {
  const manifest = block('Kubernetes', 'yaml');
  const pairs = [...manifest.matchAll(/\{ name: (\w+), value: "([^"]*)" \}/g)];
  const settings = Object.fromEntries(pairs.map(([, name, value]) => [name, value]));
  const config = readConfig({ ...settings, ...key });
  const [, grace] = /terminationGracePeriodSeconds: (\d+)/.exec(manifest) ?? [];
  assert.ok(endMs(config) < Number(grace) * 1000);
  for (const [, port] of manifest.matchAll(/(?:containerPort|port): (\d+)/g))
    assert.equal(Number(port), config.port);
  await serves(t, { ...settings, DRAIN_DELAY_MS: '0' });
});

/** With users in memory, at a free port. */
async function serves(t: TestContext, settings: Record<string, string>): Promise<void> {
  const main = runMain(t, { ...settings, ...key, USERS_STORE: 'memory', USERS_TABLE: '', HOST: '127.0.0.1' });
  const endpoint = await main.url();
  {
    using client = createUsersClient({ endpoint, token: key.API_KEY });
    assert.equal((await client.createUser({ username: 'tom' })).user?.username, 'tom');
    using probe = createUsersClient({ endpoint });
    assert.equal(await probe.health(), 'SERVING');
    assert.equal(await probe.health('Users'), 'SERVING');
  }
  await main.stop();
}
