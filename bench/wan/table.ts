import { showFigure } from '../figure.ts';
import type { Table } from '../tables.ts';
import type { Path } from './link.ts';
import type { WanRow } from './measure.ts';

/** How long large calls take over a long path: until the first result, and whole. */
export function wanTable({ roundTripMs, mbit }: Path, rows: readonly WanRow[]): Table {
  const rate = mbit > 0 ? `, ${mbit} Mbit/s` : '';
  const calls = rows[0]?.calls ?? [];
  return {
    title: `GetUsers of 10,000 names on one connection, ${roundTripMs} ms of round trip${rate}: ms of a call`,
    columns: [
      'client → server',
      ...calls.flatMap(({ parallel }) => [`${parallel} at a time: first result`, 'whole']),
    ],
    rows: rows.map(({ client, server, calls }) => [
      `${client} → ${server.title}`,
      ...calls.flatMap(({ firstMs, wholeMs }) => [showFigure(firstMs), showFigure(wholeMs)]),
    ]),
  };
}
