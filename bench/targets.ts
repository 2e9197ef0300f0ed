import type { CancelRow } from './cancels.ts';
import type { Figure } from './figure.ts';
import { type Held, heldTargets } from './held.ts';
import type { Row } from './measure.ts';
import type { OverloadRow } from './overload/measure.ts';
import type { Single } from './parts.ts';
import type { WanRow } from './wan/measure.ts';

/** What a run has measured; parts that were not asked for are missing. */
export interface Results {
  readonly unary?: readonly Row[];
  readonly streams?: readonly Row[];
  readonly tls?: readonly Row[];
  readonly protocols?: readonly Row[];
  readonly cancels?: readonly CancelRow[];
  readonly cold?: readonly Single[];
  readonly functionCold?: readonly Single[];
  readonly memory?: readonly Single[];
  readonly held?: readonly Held[];
  readonly workers?: readonly Row[];
  readonly wan?: readonly WanRow[];
  readonly overload?: readonly OverloadRow[];
}

/** A target, as the greatest ratio of two figures of one run, or the greatest count, and what was reached. */
export interface Target {
  readonly what: string;
  readonly atMost: number;
  readonly reached: number;
}

/** A ratio that should be at most so much. What was not measured is `undefined`. */
type Ratio = readonly [what: string, atMost: number, ours: Figure | undefined, theirs: Figure | undefined];

/** The loads by which a unary call is judged, and the most that ours, bare, may take of grpc-go's CPU time. */
const unaryAims = [
  ['8 × 32', '8x32', 0.8],
  ['4 × 4', '4x4', 0.9],
  ['1 × 1', '1x1', 1],
] as const;

/** The targets that a run can tell something about. */
export function targetsOf(results: Results): Target[] {
  const ratios = [
    ...unaryAims.flatMap(unaryRatios(results)),
    ...streamRatios(results),
    ...otherRatios(results),
    ...wanRatios(results),
    ...ratiosToBefore(results),
  ];
  const targets = ratios.flatMap(([what, atMost, ours, theirs]) => {
    const reached = (ours?.median ?? Number.NaN) / (theirs?.median ?? Number.NaN);
    return Number.isNaN(reached) ? [] : [{ what, atMost, reached }];
  });
  return [...targets, ...heldTargets(results.held ?? []), ...countTargets(results)];
}

/** Targets that are no ratio. */
function countTargets({ cancels, overload }: Results): Target[] {
  const failed = cancels?.find((it) => it.subject.key === 'shipped')?.failed;
  const loaded = overload?.find((it) => it.subject.key === 'shipped' && it.factor === 3);
  const what = 'at three times what ours as shipped can do';
  return [
    ['calls that fail because others on a full connection are cancelled', 0, failed] as const,
    [
      `${what}: the part of it that is not answered within 100 ms`,
      0.2,
      loaded && 1 - loaded.goodPart.median,
    ] as const,
    [`${what}: p99 of what is let in, ms`, 150, loaded?.p99Ms.median] as const,
  ].flatMap(([it, atMost, reached]) => (reached === undefined ? [] : [{ what: it, atMost, reached }]));
}

/** A figure of a server under a load. */
function figure(
  rows: readonly Row[] | undefined,
  load: string,
  subject: string,
  name: 'cpuMicros' | 'p99Ms' | 'rate' = 'cpuMicros',
): Figure | undefined {
  return rows?.find((it) => it.load.key === load && it.subject.key === subject)?.[name];
}

function unaryRatios({ unary, tls }: Results) {
  return ([title, key, bareToGo]: (typeof unaryAims)[number]): Ratio[] => {
    const call = (subject: string) => figure(unary, key, subject);
    const shipped = call('shipped');
    const overTls = (subject: string) => figure(tls, `tls ${key}`, `${subject} tls`);
    const what = `CPU of a unary call, ${title}`;
    return [
      [`${what}: ours, bare, to grpc-go`, bareToGo, call('bare'), call('grpc-go')],
      [`${what}: ours as shipped to grpc-go with our policies`, 1, shipped, call('grpc-go-policies')],
      [`${what}: ours as shipped to grpc-js`, 0.5, shipped, call('grpc-js')],
      [`${what}, over TLS: ours, bare, to raw node:http2`, 0.6, overTls('bare'), overTls('raw')],
    ];
  };
}

function streamRatios({ streams }: Results): Ratio[] {
  return [100, 10_000].flatMap((users): Ratio[] => {
    const message = (subject: string) => figure(streams, `stream ${users}`, subject);
    const what = `CPU of a message, streams of ${users.toLocaleString('en')}: ours as shipped to grpc-go`;
    return [
      [what, 1, message('shipped'), message('grpc-go')],
      [`${what} with our policies`, 1, message('shipped'), message('grpc-go-policies')],
    ];
  });
}

function otherRatios({ unary, protocols, cold, functionCold, memory, workers }: Results): Ratio[] {
  const p99 = (subject: string) => figure(unary, '1x1', subject, 'p99Ms');
  const call = (subject: string) => figure(unary, '8x32', subject);
  const protocol = (key: string) => figure(protocols, key, 'bare');
  const single = (rows: readonly Single[] | undefined, subject: string) =>
    rows?.find((it) => it.subject.key === subject)?.figure;
  const served = (count: number) => figure(workers, 'stream 1000', `workers ${count}`, 'rate');
  const grpc = protocol('grpc');
  return [
    [
      'CPU of a unary call, 8 × 32: ours as shipped to connect-node',
      0.2,
      call('shipped'),
      call('connect-node'),
    ],
    ['p99 of one call at a time: ours as shipped to grpc-go', 1.2, p99('shipped'), p99('grpc-go')],
    ['CPU of a unary call, ours, bare: gRPC-Web to gRPC', 1.2, protocol('grpc-web'), grpc],
    ['CPU of a unary call, ours, bare: Connect, proto, to gRPC', 1.3, protocol('connect proto'), grpc],
    ['CPU of a unary call, ours, bare: Connect, JSON, to gRPC', 1.8, protocol('connect json'), grpc],
    [
      'cold start: our bundle to an empty node:http2 server',
      1.1,
      single(cold, 'bundle'),
      single(cold, 'floor'),
    ],
    [
      'cold start as a Web Function, its health: our bundle to an empty node:http server',
      1.3,
      single(functionCold, 'function'),
      single(functionCold, 'floor http'),
    ],
    // Two serve 1.7 times what one does.
    ['users a second, streams of 1,000: one process to two workers', 0.59, served(1), served(2)],
    [
      'memory after the load: ours as shipped to grpc-js',
      0.9,
      single(memory, 'shipped'),
      single(memory, 'grpc-js'),
    ],
  ];
}

/** The same client calls both servers, so that what differs is theirs. */
function wanRatios({ wan = [] }: Results): Ratio[] {
  return wan
    .filter(({ server }) => server.key === 'shipped')
    .flatMap(({ client, calls }) =>
      calls.flatMap(({ parallel, wholeMs }): Ratio[] => {
        const theirs = (server: string) =>
          wan
            .find((it) => it.client === client && it.server.key === server)
            ?.calls.find((it) => it.parallel === parallel)?.wholeMs;
        const by = client === 'ours' ? 'our client' : 'that of grpc-go';
        const what = `a long path, ${parallel} at a time, by ${by}: ours as shipped to grpc-go`;
        return [
          [what, 1, wholeMs, theirs('grpc-go')],
          [`${what} with our policies`, 1, wholeMs, theirs('grpc-go-policies')],
        ];
      }),
    );
}

function ratiosToBefore({ unary = [], streams = [] }: Results): Ratio[] {
  const rows = [...unary, ...streams];
  return rows.map(({ load: { key, title }, subject, cpuMicros }) => [
    `CPU, ${title}: ${subject.title}, to before`,
    1.03,
    cpuMicros,
    figure(rows, key, `${subject.key} before`),
  ]);
}
