import type { Any } from '@bufbuild/protobuf/wkt';
import { Code } from '@connectrpc/connect';
import { type Case, type Difference, unreadable } from './case.ts';
import { type Dialect, isStream, type Method, type Request } from './dialect.ts';

const responseStreams = (dialect: Dialect, details: readonly Any[]): Case[] =>
  dialect.methods.filter(isStream).flatMap((method) => [
    ...[0, 2, 300].map((count) => ({
      name: `${method}: ${count} responses`,
      call: dialect.one(method, { text: 'many', count }),
    })),
    {
      name: `${method}: responses beyond the flow-control window`,
      call: dialect.one(method, { pad: 40_000, count: 20 }),
    },
    {
      name: `${method}: an error after 3 messages`,
      call: dialect.one(method, {
        count: 3,
        failure: { code: Code.DataLoss, message: 'lost', details: [...details] },
      }),
    },
    {
      name: `${method}: an error after none`,
      call: dialect.one(method, { count: 0, failure: { code: Code.DataLoss, message: 'lost' } }),
    },
  ]);

/** Stock reads a request of HTTP/1.1 to its end, however long, after it has answered. Ours ends the connection. */
const endsConnection = (dialect: Dialect, differs: Difference): Difference =>
  dialect.wire.http === '2' ? differs : { ...differs, parts: [...differs.parts, 'headers'] };

const requestStreams = (dialect: Dialect): Case[] => [
  {
    name: 'ClientStream: the method fails before the client ends',
    call: dialect.raw(
      'ClientStream',
      [
        Buffer.concat([
          dialect.message('ClientStream', {}),
          dialect.framed('ClientStream', Buffer.from([255])),
        ]),
      ],
      {},
      { isOpen: true },
    ),
    differs: endsConnection(dialect, unreadable(dialect, 'ClientStream')),
  },
  {
    name: 'ClientStream: 300 requests',
    call: dialect.raw(
      'ClientStream',
      Array.from({ length: 300 }, (_, index) => dialect.message('ClientStream', { text: String(index) })),
    ),
  },
];

const duplex = (dialect: Dialect): Case[] => {
  const message = (request: Request) => dialect.message('Bidi', request);
  const failure = { code: Code.Aborted, message: 'no' };
  return [
    {
      name: 'Bidi: answers before the next request',
      call: dialect.raw('Bidi', [
        message({ text: 'a', count: 1 }),
        1,
        message({ text: 'b', count: 2 }),
        3,
        message({ text: 'c', count: 0 }),
      ]),
    },
    {
      name: 'Bidi: the method ends before the client',
      call: dialect.raw('Bidi', [message({ text: 'last', count: 1 })], {}, { isOpen: true }),
    },
    {
      name: 'Bidi: the method fails before the client ends',
      call: dialect.raw('Bidi', [message({ count: 1, failure })], {}, { isOpen: true }),
    },
  ];
};

/** What a method sees of them is chance: node's client ends a request that it resets, in one segment or in two. */
const cancels = (dialect: Dialect): Case[] => {
  const message = (method: Method, request: Request = {}) => dialect.message(method, request);
  const cases: Case[] = [
    { name: 'Unary: canceled in the middle', call: dialect.raw('Unary', [message('Unary'), 'reset']) },
    {
      name: 'ServerStream: canceled after 2 messages',
      call: dialect.raw('ServerStream', [
        message('ServerStream', { count: 100_000, pad: 1000 }),
        'end',
        2,
        'reset',
      ]),
    },
    {
      name: 'ClientStream: canceled after a request',
      call: dialect.raw('ClientStream', [message('ClientStream'), 'reset']),
    },
    ...(dialect.methods.includes('Bidi')
      ? [
          {
            name: 'Bidi: canceled after an answer',
            call: dialect.raw('Bidi', [message('Bidi', { count: 1 }), 1, 'reset']),
          },
        ]
      : []),
  ];
  return cases.map((it) => ({ ...it, chance: ['observed'] }));
};

/**
 * Streams of responses and of requests, both at once, and what clients break off. `details`: of an error at the end.
 */
export const streamCases = (dialect: Dialect, details: readonly Any[]): Case[] => [
  ...responseStreams(dialect, details),
  ...requestStreams(dialect),
  ...(dialect.methods.includes('Bidi') ? duplex(dialect) : []),
  ...cancels(dialect),
];
