import { showFigure } from '../figure.ts';
import type { Table } from '../tables.ts';
import type { OverloadRow } from './measure.ts';

/** What servers do of more than they can. */
export function overloadTable(rows: readonly OverloadRow[]): Table {
  return {
    title: 'unary calls in an open loop, on 64 connections: parts of what each can do in a second',
    columns: [
      'server, calls a second that it can do',
      'asked',
      'answered within 100 ms',
      'refused, of all calls',
      'answered: p50 ms',
      'p99 ms',
      'normal again after ms',
    ],
    rows: rows.map((it) => [
      `${it.subject.title}, ${showFigure(it.capacity)}`,
      `× ${it.factor}`,
      ...[it.goodPart, it.refusedPart, it.p50Ms, it.p99Ms, it.recoveredMs].map(showFigure),
    ]),
  };
}
