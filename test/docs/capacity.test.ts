// Proves that docs/capacity.md and its picture are those that infra/capacity.ts calculates, and that they count the
// tasks that run, not only those whose CPU is needed.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { withTables } from '../../infra/capacity.ts';
import { needsOf } from '../../infra/capacity-model.ts';
import { capacityPicture } from '../../infra/capacity-picture.ts';
import { page } from './tables.ts';

test('the page and the picture are calculated', () => {
  const text = page('capacity.md');
  const picture = readFileSync(new URL('../../docs/capacity.svg', import.meta.url), 'utf8');
  const stale = 'run `npx node infra/capacity.ts --write`';
  assert.equal(withTables(text), text, stale);
  assert.equal(capacityPicture(), picture, stale);
});

test('more calls never take less', () => {
  const steps = Array.from({ length: 40 }, (_, step) => 10 ** (step / 8));
  const needs = steps.map((callsPerSecond) => needsOf({ callsPerSecond, users: 1e6 }));
  for (const [place, { dollars, tasks, taskVcpu, connections }] of needs.entries()) {
    const before = needs[place - 1];
    assert.ok(before === undefined || dollars.total > before.dollars.total);
    assert.ok(tasks * taskVcpu >= 0.5 && connections >= tasks);
  }
});

test('auto scaling starts tasks that their CPU would not need, and they are paid for', () => {
  const users = 10_000;
  const at = (callsPerSecond: number) => needsOf({ callsPerSecond, users });
  assert.equal(at(1_000).tasks, 10);
  assert.equal(at(700).tasks, 7);
  assert.ok(
    Math.abs(at(1_000).dollars.tasks - 5 * at(100).dollars.tasks) < 0.01,
    'ten cost what five times two do',
  );
});
