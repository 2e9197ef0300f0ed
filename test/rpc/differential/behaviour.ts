import { create } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { Code } from '@connectrpc/connect';
import { BadRequestSchema, ErrorInfoSchema } from '../../../proto/gen/google/rpc/error_details_pb.js';
import { frame } from '../../support/frames.ts';
import {
  type Case,
  isCalledAtOnce,
  isStream,
  message,
  methods,
  one,
  own,
  raw,
  text,
  unreadableProtobuf,
} from './case.ts';

const details = [
  anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { reason: 'TEST', domain: 'test', metadata: { a: 'b' } })),
  anyPack(
    BadRequestSchema,
    create(BadRequestSchema, { fieldViolations: [{ field: 'text', description: 'ä "quoted" %' }] }),
  ),
];

const codes = Object.values(Code).filter((it) => typeof it === 'number');

const statuses: Case[] = methods.flatMap((method) => [
  { name: `${method}: OK`, call: one(method, { text: 'hello' }) },
  { name: `${method}: an empty message`, call: raw(method, [frame(new Uint8Array())]) },
  ...codes.map((code) => ({
    name: `${method}: ${Code[code]}`,
    call: one(method, { failure: { code, message: `as ${Code[code]}` } }),
  })),
  ...['', 'ünï ☺ \u{1f600}', 'two\nlines\ttab', '100 % "quoted"', 'x'.repeat(2000)].map((it) => ({
    name: `${method}: a status message like ${JSON.stringify(it.slice(0, 20))}`,
    call: one(method, { failure: { code: Code.Aborted, message: it } }),
  })),
  ...[0, 1, 2].map((count) => ({
    name: `${method}: ${count} error details`,
    call: one(method, { failure: { code: Code.Aborted, message: 'no', details: details.slice(0, count) } }),
  })),
  {
    name: `${method}: an exception that is no RPC error`,
    call: one(method, { failure: { code: 0, message: 'a secret' } }),
  },
]);

const pairs = (...entries: [string, string][]) => entries.map(([name, value]) => ({ name, value }));
const binary = Buffer.from([0, 1, 254, 255]).toString('base64');

const metadata: Case[] = methods.flatMap((method) => {
  const set = {
    headers: pairs(['x-header', 'one'], ['x-header', 'two'], ['h-bin', binary]),
    trailers: pairs(['x-trailer', 'one'], ['x-trailer', 'two'], ['t-bin', binary]),
  };
  const failure = {
    code: Code.NotFound,
    message: 'no',
    metadata: pairs(['x-error', 'one'], ['x-error', 'two'], ['e-bin', binary]),
  };
  return [
    { name: `${method}: response headers and trailers`, call: one(method, set) },
    { name: `${method}: the same with an error`, call: one(method, { ...set, failure }) },
    { name: `${method}: trailers and an error`, call: one(method, { trailers: set.trailers, failure }) },
    { name: `${method}: metadata of an error`, call: one(method, { failure }) },
    {
      name: `${method}: an error before the first message`,
      call: one(method, { ...set, failure, count: 0 }),
    },
    {
      name: `${method}: request metadata`,
      call: one(
        method,
        { show: ['ascii', 'repeated', 'one-bin', 'many-bin', 'empty', 'spaces', 'absent'] },
        {
          ascii: '!"#$%&\'()*+,-./:;<=>?@[]^_`{|}~',
          repeated: ['one', 'two', 'three'],
          'one-bin': binary,
          'many-bin': [binary, binary],
          empty: '',
          spaces: 'a  b',
        },
      ),
    },
  ];
});

const late = 'Both servers keep deadlines here, since the method heeds its signal; the text is ours.';
const timeouts: Case[] = methods.flatMap((method) => [
  {
    name: `${method}: a deadline of 1m that passes`,
    call: one(method, { hang: true }, { 'grpc-timeout': '1m' }),
    differs: {
      why: 'The grain of timers: ours does not call the method.',
      parts: ['message', 'observed'],
      ourStatus: String(Code.DeadlineExceeded),
    },
  },
  ...['50m', '50000u', '50000000n'].map((timeout) => ({
    name: `${method}: a deadline of ${timeout} that passes`,
    call: one(method, { hang: true }, { 'grpc-timeout': timeout }),
    differs: own(Code.DeadlineExceeded, late),
  })),
  ...['1H', '99999999H', '10M', '60S', '60000m'].map((timeout) => ({
    name: `${method}: a deadline of ${timeout} that does not pass`,
    call: one(method, { text: 'in time' }, { 'grpc-timeout': timeout }),
  })),
  ...['100', 'S', '1s', '-1S', '1.5S', '100000000S', 'x', '1 S'].map((timeout) => ({
    name: `${method}: a malformed deadline, ${JSON.stringify(timeout)}`,
    call: one(method, {}, { 'grpc-timeout': timeout }),
    differs: {
      why: `Ours does not call the method. ${text}`,
      parts: isCalledAtOnce(method) ? ['message', 'observed'] : ['message'],
      ourStatus: String(Code.InvalidArgument),
    },
  })),
]);

const streams: Case[] = methods.filter(isStream).flatMap((method): Case[] => [
  ...[0, 2, 300].map((count) => ({
    name: `${method}: ${count} responses`,
    call: one(method, { text: 'many', count }),
  })),
  {
    name: `${method}: responses beyond the flow-control window`,
    call: one(method, { pad: 50_000, count: 20 }),
  },
  {
    name: `${method}: an error after 3 messages`,
    call: one(method, { count: 3, failure: { code: Code.DataLoss, message: 'lost', details } }),
  },
  {
    name: `${method}: an error after none`,
    call: one(method, { count: 0, failure: { code: Code.DataLoss, message: 'lost' } }),
  },
]);

const duplex: Case[] = [
  {
    name: 'Bidi: answers before the next request',
    call: raw('Bidi', [
      message({ text: 'a', count: 1 }),
      1,
      message({ text: 'b', count: 2 }),
      3,
      message({ text: 'c', count: 0 }),
    ]),
  },
  {
    name: 'Bidi: the method ends before the client',
    call: raw('Bidi', [message({ text: 'last', count: 1 })], {}, { isOpen: true }),
  },
  {
    name: 'Bidi: the method fails before the client ends',
    call: raw(
      'Bidi',
      [message({ count: 1, failure: { code: Code.Aborted, message: 'no' } })],
      {},
      { isOpen: true },
    ),
  },
  {
    name: 'ClientStream: the method fails before the client ends',
    call: raw(
      'ClientStream',
      [Buffer.concat([message({}), frame(Buffer.from([255]))])],
      {},
      { isOpen: true },
    ),
    differs: unreadableProtobuf('ClientStream'),
  },
  {
    name: 'ClientStream: 300 requests',
    call: raw(
      'ClientStream',
      Array.from({ length: 300 }, (_, index) => message({ text: String(index) })),
    ),
  },
];

const cancels: Case[] = [
  { name: 'Unary: canceled before the request ends', call: raw('Unary', [message({}), 'reset']) },
  {
    name: 'ServerStream: canceled after 2 messages',
    call: raw('ServerStream', [message({ count: 100_000, pad: 1000 }), 'end', 2, 'reset']),
  },
  {
    name: 'ClientStream: canceled after a request',
    call: raw('ClientStream', [message({ text: 'one' }), 'reset']),
    differs: {
      why: 'Ours tells the method that it is canceled, connect-node that something unknown has happened.',
      parts: ['observed'],
      ourStatus: undefined,
    },
  },
  { name: 'Bidi: canceled after an answer', call: raw('Bidi', [message({ count: 1 }), 1, 'reset']) },
];

/** What methods do, and clients with them. */
export const behaviourCases: readonly Case[] = [
  ...statuses,
  ...metadata,
  ...timeouts,
  ...streams,
  ...duplex,
  ...cancels,
];
