import type { CancelRow } from './cancels.ts';
import { type Figure, showFigure } from './figure.ts';
import type { Held } from './held.ts';
import type { Row } from './measure.ts';
import type { Policy, Single } from './parts.ts';
import type { Target } from './targets.ts';

/** A table for people: on a terminal, and in Markdown. */
export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** A table for each load. */
export function loadTables(rows: readonly Row[]): Table[] {
  const loads = new Set(rows.map((it) => it.load));
  return [...loads].map((load) => {
    const one = load.path === '/Users/GetUsers' ? 'message' : 'call';
    return {
      title: load.title,
      columns: ['', `CPU µs a ${one}`, `${one}s a second`, 'p50 ms', 'p99 ms'],
      rows: rows
        .filter((it) => it.load === load)
        .map((it) => [it.subject.title, ...[it.cpuMicros, it.rate, it.p50Ms, it.p99Ms].map(showFigure)]),
    };
  });
}

/** What one process serves, and what two do. */
export function workerTable(rows: readonly Row[]): Table {
  const loads = [...new Set(rows.map((it) => it.load))];
  return {
    title: 'users a second from SQLite, on two cores',
    columns: ['', 'one process', 'two workers', 'ratio', 'CPU µs a user: one', 'two'],
    rows: loads.map((load) => {
      const [one, two] = rows.filter((it) => it.load === load);
      const ratio = (two?.rate.median ?? Number.NaN) / (one?.rate.median ?? Number.NaN);
      const figures = [one?.rate, two?.rate, one?.cpuMicros, two?.cpuMicros].map((it) =>
        it ? showFigure(it) : '',
      );
      return [load.title, ...figures.slice(0, 2), ratio.toFixed(2), ...figures.slice(2)];
    }),
  };
}

/** What a unary call costs in each protocol, next to our gRPC and to connect's stock handlers. */
export function protocolTable(rows: readonly Row[]): Table {
  const ours = rows.filter((it) => it.subject.key === 'bare');
  const grpc = ours.find((it) => it.load.key === 'grpc')?.cpuMicros.median ?? Number.NaN;
  return {
    title: 'a unary call in each protocol, 8 × 32 over HTTP/2, 8 × 1 over HTTP/1.1',
    columns: ['', 'ours, bare: CPU µs a call', 'to our gRPC', 'connect-node: CPU µs a call'],
    rows: ours.map(({ load, cpuMicros }) => {
      const stock = rows.find((it) => it.load === load && it.subject.key !== 'bare');
      const ratio = (cpuMicros.median / grpc).toFixed(2);
      return [load.title, showFigure(cpuMicros), ratio, stock ? showFigure(stock.cpuMicros) : ''];
    }),
  };
}

/** What becomes of calls while others of their connection are cancelled. */
export function cancelTable(rows: readonly CancelRow[]): Table {
  return {
    title: '256 calls on a connection that has 256 others, which are cancelled: those that fail',
    columns: ['', 'calls', 'failed'],
    rows: rows.map(({ subject, calls, failed }) => [
      subject.title,
      calls.toLocaleString('en'),
      failed.toLocaleString('en'),
    ]),
  };
}

/** One figure for each server. */
export function singleTable(title: string, unit: string, rows: readonly Single[]): Table {
  return {
    title,
    columns: ['', unit],
    rows: rows.map(({ subject, figure }) => [subject.title, showFigure(figure)]),
  };
}

/** What holds memory without doing anything, by the engine that speaks HTTP/2. */
export function heldTable(held: readonly Held[]): Table {
  return {
    title: 'memory of what does nothing',
    columns: ['ours, bare: KiB each', 'our HTTP/2', 'node:http2'],
    rows: held.map(({ title, ownKiB, nodeKiB }) => [title, showFigure(ownKiB), showFigure(nodeKiB)]),
  };
}

/** What each policy adds to a call. */
export function policyTable(policies: readonly Policy[]): Table {
  const without = policies[0]?.cpuMicros.median ?? Number.NaN;
  return {
    title: 'what each policy costs alone',
    columns: ['', 'CPU µs a call', 'more than none'],
    rows: policies.map(({ title, cpuMicros }, place) => [
      title,
      showFigure(cpuMicros),
      place === 0 ? '' : signed(cpuMicros, without),
    ]),
  };
}

/** The targets, and whether they are met. */
export function targetTable(targets: readonly Target[]): Table {
  return {
    title: 'targets',
    columns: ['what', 'at most', 'reached', ''],
    rows: targets.map(({ what, atMost, reached }) => [
      what,
      String(atMost),
      Number.isInteger(reached) ? String(reached) : reached.toFixed(2),
      reached <= atMost ? 'met' : 'missed',
    ]),
  };
}

/** For a terminal. */
export function toText({ title, columns, rows }: Table): string {
  const all = [columns, ...rows];
  const widths = columns.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('   ');
  return [`\n${title}`, ...all.map((row) => `  ${line(row)}`)].join('\n');
}

/** For the documentation. */
export function toMarkdown({ title, columns, rows }: Table): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const rule = columns.map((_, column) => (column === 0 ? '---' : '---:'));
  return [`**${title}**`, '', line(columns), line(rule), ...rows.map(line)].join('\n');
}

function signed({ median }: Figure, without: number): string {
  const more = median - without;
  return `${more < 0 ? '−' : '+'}${Math.abs(more).toFixed(1)}`;
}
