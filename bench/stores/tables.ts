import { type Figure, showFigure, showNumber } from '../figure.ts';
import type { Table } from '../tables.ts';
import type { StoreRow } from './measure.ts';
import type { Outcome } from './simulation.ts';
import type { SizeRow } from './sqlite-size.ts';

/** What a call costs with each store, how long it takes, and what it asks of the table. */
export function storeTables(rows: readonly StoreRow[]): Table[] {
  return [
    table(rows, 'CPU µs of the server a call', 'cpuMicros'),
    table(rows, 'p50 ms', 'p50Ms'),
    table(
      rows.filter(({ subject }) => subject.store === 'dynamodb'),
      'requests to the table a call',
      'requests',
    ),
    table(
      rows.filter(({ subject, load }) => subject.store === 'dynamodb' && load.kind === 'create'),
      'write units a call, those of the index included',
      'writeUnits',
    ),
  ];
}

/** What GetUsers of 100 costs with so many users in SQLite, and how long 10,000 of them hold the event loop. */
export function sizeTable(rows: readonly SizeRow[]): Table {
  return {
    title: 'GetUsers of 100 from SQLite, 2 × 4: CPU µs of the server a call',
    columns: [
      'users',
      'file in MiB',
      'the same 100',
      'any 100',
      'ms that GetUsers of 10,000, 4 × 1, holds the loop',
    ],
    rows: rows.map(({ users, fileMiB, sameMicros, anyMicros, heldMs }) => [
      users.toLocaleString('en'),
      showNumber(fileMiB),
      ...[sameMicros, anyMicros, heldMs].map(showFigure),
    ]),
  };
}

/** What the model says of walls, and what many tasks met. */
export function simulationTable(outcomes: readonly Outcome[]): Table {
  return {
    title: 'the model of infra/capacity-model.ts, and a simulation of it: a second',
    columns: ['', 'predicted', 'seen'],
    rows: outcomes.map(({ what, predicted, seen, isLeast = false }) => [
      what,
      `${isLeast ? 'at least ' : ''}${showNumber(predicted)}`,
      showNumber(seen),
    ]),
  };
}

function table(
  rows: readonly StoreRow[],
  title: string,
  figure: 'cpuMicros' | 'p50Ms' | 'requests' | 'writeUnits',
): Table {
  const loads = [...new Set(rows.map((it) => it.load))];
  const subjects = [...new Set(rows.map((it) => it.subject))];
  const shown = (value: Figure | undefined) => (value ? showFigure(value) : '');
  return {
    title,
    columns: ['', ...loads.map((it) => it.title)],
    rows: subjects.map((subject) => [
      subject.title,
      ...loads.map((load) => shown(rows.find((it) => it.subject === subject && it.load === load)?.[figure])),
    ]),
  };
}
