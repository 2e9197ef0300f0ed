// Proves that docs/grafana.json is a dashboard that Grafana can load, as far as that can be seen without Grafana: ids,
// grid, variables and targets are whole. And that a real Prometheus which scrapes a real server answers every graph.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it, test } from 'node:test';
import { startScraped } from './scraped-server.ts';

interface Target {
  readonly refId: string;
  readonly expr: string;
  readonly legendFormat: string;
}

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly datasource?: { readonly type: string; readonly uid: string };
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly Target[];
}

interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly schemaVersion: number;
  readonly panels: readonly Panel[];
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly type: string; readonly definition?: string }[];
  };
}

const dashboard: Dashboard = JSON.parse(
  readFileSync(new URL('../../docs/grafana.json', import.meta.url), 'utf8'),
);
const { panels, templating } = dashboard;
const graphs = panels.filter(({ type }) => type !== 'row');
const targets = graphs.flatMap(({ title, targets = [] }) => targets.map((target) => ({ title, ...target })));

describe('docs/grafana.json', () => {
  it('has the rows that it is read by', () => {
    const rows = panels.filter(({ type }) => type === 'row').map(({ title }) => title);
    assert.deepEqual(rows, ['Calls', 'Failures', 'Latency', 'Store and passwords', 'Process', 'Connections']);
  });

  it('has panels with ids of their own, on the grid of 24 columns, none over another', () => {
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
    const taken = new Map<string, string>();
    for (const { title, gridPos } of panels) {
      const { x, y, w, h } = gridPos;
      assert(x >= 0 && y >= 0 && w > 0 && h > 0 && x + w <= 24, title);
      for (let column = x; column < x + w; column += 1) {
        for (let line = y; line < y + h; line += 1) {
          const cell = `${column},${line}`;
          assert.equal(taken.get(cell), undefined, `${title} is over ${taken.get(cell)}`);
          taken.set(cell, title);
        }
      }
    }
  });

  it('asks the Prometheus that is chosen, in every target', () => {
    for (const { title, datasource, targets = [] } of graphs) {
      assert.equal(datasource?.type, 'prometheus', title);
      assert.match(datasource?.uid ?? '', /^\$\{datasource\}$/, title);
      assert(targets.length > 0, title);
      assert.equal(new Set(targets.map(({ refId }) => refId)).size, targets.length, title);
      for (const { expr, legendFormat } of targets) assert(expr !== '' && legendFormat !== '', title);
    }
  });

  it('uses the variables that it has, and no others', () => {
    const names = templating.list.map(({ name }) => name);
    assert.equal(templating.list[0]?.type, 'datasource');
    const text = JSON.stringify(panels) + JSON.stringify(templating.list.map(({ definition }) => definition));
    const used = [...text.matchAll(/\$\{?([a-z]\w*)/g)].map(([, name]) => name);
    assert.deepEqual([...new Set(used)].sort(), [...names].sort());
  });

  it('shows in its legends labels by which it groups', () => {
    for (const { title, expr, legendFormat } of targets) {
      const grouped = new Set([...expr.matchAll(/by \(([^)]+)\)/g)].flatMap(([, by = '']) => by.split(', ')));
      for (const [, label = ''] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) assert(grouped.has(label), title);
    }
  });
});

/** Series that come with what they count, which nobody does here: refused connections, resets. */
const mayBeEmpty = /server_connections_refused_total/;

test('Prometheus answers every graph', async (t) => {
  const server = await startScraped(t);
  for (const { title, refId, expr } of targets) {
    await t.test(`${title} ${refId}`, async () => {
      const asked = expr
        .replaceAll('$__rate_interval', '5m')
        .replaceAll('$job', 'users')
        .replaceAll(/\$(?:instance|method)/g, '.*');
      const found = await server.query(asked);
      if (!mayBeEmpty.test(asked)) assert.notEqual(found.length, 0, asked);
    });
  }
});
