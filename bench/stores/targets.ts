import type { Target } from '../targets.ts';
import type { StoreRow } from './measure.ts';
import type { SizeRow } from './sqlite-size.ts';

/** The targets of the stores that a run can tell something about. */
export function storeTargets(rows: readonly StoreRow[]): Target[] {
  const figure = (load: string, subject: string, name: 'cpuMicros' | 'p50Ms' | 'requests' = 'cpuMicros') =>
    rows.find((it) => it.load.key === load && it.subject.key === subject)?.[name].median ?? Number.NaN;
  const ratio = (load: string, theirs: string, name?: 'cpuMicros' | 'p50Ms') =>
    figure(load, 'dynamodb', name) / figure(load, theirs, name);
  const table: readonly (readonly [what: string, atMost: number, reached: number])[] = [
    ['CPU of GetUsers of 1, 8 × 32: DynamoDB to memory', 1.5, ratio('get 1 8x32', 'memory')],
    ['CPU of GetUsers of 1, 8 × 32, DynamoDB: to before', 0.12, ratio('get 1 8x32', 'dynamodb before')],
    ['CPU of GetUsers of 1, 1 × 1, DynamoDB: to before', 0.4, ratio('get 1 1x1', 'dynamodb before')],
    ['CPU of CreateUser, 8 × 32, DynamoDB: to before', 0.4, ratio('create 8x32', 'dynamodb before')],
    ['CPU of GetUsers of 100, DynamoDB: to grpc-go with its SDK', 0.8, ratio('get 100 2x4', 'grpc-go')],
    ['requests to the table for GetUsers of 1, 8 × 32', 0.1, figure('get 1 8x32', 'dynamodb', 'requests')],
    ['p50 of GetUsers of 1, 1 × 1, DynamoDB: to before', 0.8, ratio('get 1 1x1', 'dynamodb before', 'p50Ms')],
  ];
  return table.flatMap(([what, atMost, reached]) =>
    Number.isNaN(reached) ? [] : [{ what, atMost, reached }],
  );
}

/** The targets of SQLite with many users. */
export function sizeTargets(rows: readonly SizeRow[]): Target[] {
  const [few, ...more] = rows;
  const many = more.at(-1);
  if (few === undefined || many === undefined) return [];
  const what = `CPU of GetUsers of 100, SQLite: ${many.users.toLocaleString('en')} users to ${few.users.toLocaleString('en')}`;
  return [
    { what: `${what}, the same 100`, atMost: 1.5, reached: many.sameMicros.median / few.sameMicros.median },
    { what: `${what}, any 100`, atMost: 1.5, reached: many.anyMicros.median / few.anyMicros.median },
    {
      what: 'ms that GetUsers of 10,000, 4 × 1, holds the loop',
      atMost: 10,
      reached: Math.max(...rows.map(({ heldMs }) => heldMs.high)),
    },
  ];
}
