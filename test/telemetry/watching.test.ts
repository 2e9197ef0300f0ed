// Proves that a real Prometheus that scrapes a real server answers every query of docs/watching.md, and that the alarms
// and the dashboard of CloudWatch ask for metrics that the server has, with labels that they have.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CallQueries } from '../../infra/call-queries.ts';
import { blocksOf } from '../docs/blocks.ts';
import { startScraped } from './scraped-server.ts';

/**
 * Series that come with what they count, which nobody does here: an operation of the store that fails, requests to
 * DynamoDB, too many calls, and the like.
 */
const mayBeEmpty = /error_type!=""|server_connections_refused_total|db_client_request_|reason="OVERLOADED"/;

test('Prometheus', async (t) => {
  const server = await startScraped(t);

  await t.test('answers docs/watching.md', async (t) => {
    const queries = blocksOf('docs/watching.md').filter(({ language }) => language === 'promql');
    assert(queries.length >= 20);
    for (const { section, text } of queries) {
      await t.test(`${section} ${text.split('\n')[0]}`, async () => {
        const found = await server.query(text);
        if (!mayBeEmpty.test(text)) assert.notEqual(found.length, 0, text);
      });
    }
  });

  await t.test('answers what CloudWatch is asked', async (t) => {
    const known = await server.query('count by (__name__) ({job="users"})');
    const names = known.map(({ metric }) => metric.__name__ ?? '');
    const asked = new CallQueries('Users');
    const queries = [
      ...[asked.calls, asked.failures, asked.duration(0.99), asked.storeDuration(0.5), asked.missedDeadlines],
      ...[asked.refusals(), asked.refusals(['USERNAME_TAKEN']), asked.missedDeadlineRate],
      ...[...asked.storeRetries, asked.garbageCollection, asked.heap, asked.ready],
      ...[asked.most('nodejs.eventloop.delay.p99'), asked.most('server.memory.held')],
      ...['rpc.server.active_calls', 'users.passwords.queued', 'server.connections'].map((it) =>
        asked.total(it),
      ),
    ];
    for (const query of queries) {
      await t.test(query, async () => {
        const translated = forPrometheus(query, names);
        assert.notEqual((await server.query(translated)).length, 0, translated);
      });
    }
  });
});

/**
 * A query of CloudWatch in Prometheus's words: underscores, suffixes, histograms by their parts. `names`: all that
 * there are.
 */
function forPrometheus(query: string, names: readonly string[]): string {
  const identifier = (name: string) => name.replaceAll('.', '_');
  const series = (text: string, part: string) =>
    text.replace(
      /\{"([\w.]+)", "@resource\.service\.name"="Users"(?:, ([^}]+))?\}/g,
      (_, metric, matchers = '') => {
        const stem = identifier(metric);
        const fits = new RegExp(`^${stem}(?:_seconds|_bytes|_ratio)?${part || '(?:_total)?'}$`);
        const name = names.find((it) => fits.test(it)) ?? assert.fail(`the server has no ${metric}`);
        return `${name}{${matchers.replace(/"([\w.]+)"(?==|!)/g, (_: string, label: string) => identifier(label))}}`;
      },
    );
  const labels = query.replace(/by \("([\w.]+)"\)/g, (_, label) => `by (${identifier(label)})`);
  if (labels.startsWith('histogram_quantile')) return series(labels.replace('by (', 'by (le, '), '_bucket');
  const [, part = ''] = /histogram_(count|sum)/.exec(labels) ?? [];
  return series(labels.replace(/histogram_(?:count|sum)/, ''), part && `_${part}`);
}
