import type { Figure } from './figure.ts';
import type { Row } from './measure.ts';
import type { Single } from './parts.ts';

/** What a run has measured; parts that were not asked for are missing. */
export interface Results {
  readonly unary?: readonly Row[];
  readonly streams?: readonly Row[];
  readonly protocols?: readonly Row[];
  readonly cold?: readonly Single[];
  readonly memory?: readonly Single[];
  readonly workers?: readonly Row[];
}

/** A target, as the greatest ratio of two figures of one run, and what was reached. */
export interface Target {
  readonly what: string;
  readonly atMost: number;
  readonly reached: number;
}

/** The targets that a run can tell something about. */
export function targetsOf({
  unary = [],
  streams = [],
  protocols = [],
  cold = [],
  memory = [],
  workers = [],
}: Results): Target[] {
  const load =
    (rows: readonly Row[], key: string, figure: 'cpuMicros' | 'p99Ms' | 'rate') => (subject: string) =>
      rows.find((it) => it.load.key === key && it.subject.key === subject)?.[figure];
  const single = (rows: readonly Single[]) => (subject: string) =>
    rows.find((it) => it.subject.key === subject)?.figure;
  const call = load(unary, '8x32', 'cpuMicros');
  const hundred = load(streams, 'stream 100', 'cpuMicros');
  const tenThousand = load(streams, 'stream 10000', 'cpuMicros');
  const p99 = load(unary, '1x1', 'p99Ms');
  const served = load(workers, 'stream 1000', 'rate');
  const protocol = (key: string) => load(protocols, key, 'cpuMicros')('bare');
  const table: readonly (readonly [string, number, (key: string) => Figure | undefined, string, string])[] = [
    ['CPU of a unary call: ours, bare, to raw node:http2', 1.15, call, 'bare', 'raw'],
    ['CPU of a unary call: ours as shipped to grpc-js', 1, call, 'shipped', 'grpc-js'],
    ['CPU of a unary call: ours as shipped to connect-node', 0.2, call, 'shipped', 'connect-node'],
    ['CPU of a message, streams of 100: ours as shipped to grpc-js', 0.33, hundred, 'shipped', 'grpc-js'],
    [
      'CPU of a message, streams of 10,000: ours as shipped to grpc-js',
      0.25,
      tenThousand,
      'shipped',
      'grpc-js',
    ],
    ['p99 of one call at a time: ours as shipped to grpc-js', 1, p99, 'shipped', 'grpc-js'],
    ['CPU of a unary call, ours, bare: gRPC-Web to gRPC', 1.2, protocol, 'grpc-web', 'grpc'],
    ['CPU of a unary call, ours, bare: Connect, proto, to gRPC', 1.3, protocol, 'connect proto', 'grpc'],
    ['CPU of a unary call, ours, bare: Connect, JSON, to gRPC', 1.8, protocol, 'connect json', 'grpc'],
    ['cold start: our bundle to an empty node:http2 server', 1.4, single(cold), 'bundle', 'floor'],
    // Two serve 1.7 times what one does.
    ['users a second, streams of 1,000: one process to two workers', 0.59, served, 'workers 1', 'workers 2'],
    ['memory after the load: ours as shipped to grpc-js', 0.9, single(memory), 'shipped', 'grpc-js'],
  ];
  const before = [...unary, ...streams].flatMap(({ load: { key, title }, subject }) => {
    const figure = load([...unary, ...streams], key, 'cpuMicros');
    const what = `CPU, ${title}: ${subject.title}, to before`;
    return [[what, 1.03, figure, subject.key, `${subject.key} before`] as const];
  });
  return [...table, ...before].flatMap(([what, atMost, figure, ours, theirs]) => {
    const reached = (figure(ours)?.median ?? Number.NaN) / (figure(theirs)?.median ?? Number.NaN);
    return Number.isNaN(reached) ? [] : [{ what, atMost, reached }];
  });
}
