import { create, type DescMessage, type MessageInitShape } from '@bufbuild/protobuf';
import { AnySchema, anyPack } from '@bufbuild/protobuf/wkt';
import { Code } from '@connectrpc/connect';
import { FailureSchema, MetadataSchema } from '../gen/echo_pb.js';
import { type Case, type Difference, noEncoding, own, text, unlike } from './case.ts';
import { type Dialect, isCalledAtOnce, isStream, type Method } from './dialect.ts';
import { streamCases } from './streams.ts';

const any = <T extends DescMessage>(type: T, value: MessageInitShape<T>) =>
  anyPack(type, create(type, value));
/** Of types that the servers know, then of one that they don't, alone and within another: JSON can't carry those. */
const allDetails = [
  any(MetadataSchema, { name: 'ä "quoted" %', value: '\u{1f600}' }),
  any(FailureSchema, { code: 5, metadata: [{ name: 'a', value: 'b' }] }),
  create(AnySchema, { typeUrl: 'a/b.Unknown', value: Buffer.from([8, 1]) }),
  any(FailureSchema, { details: [{ typeUrl: 'a/b.Unknown', value: Buffer.from([8, 1]) }] }),
];
const detailsOf = ({ isBinary }: Dialect) => (isBinary ? allDetails : allDetails.slice(0, 2));

const codes = Object.values(Code).filter((it) => typeof it === 'number');

/** What ends a call leaves at once, in one piece with the status. */
const uncompressed = (dialect: Dialect, method: Method): Difference | undefined => {
  if (dialect.wire.protocol === 'grpc') return isStream(method) ? undefined : noEncoding(Code.Aborted);
  const why = 'Stock compresses what ends a call: ours sends it at once, and as it is.';
  return { why, parts: ['headers'], ourStatus: String(Code.Aborted) };
};

const statuses = (dialect: Dialect): Case[] =>
  dialect.methods.flatMap((method) => [
    { name: `${method}: OK`, call: dialect.one(method, { text: 'hello' }) },
    { name: `${method}: an empty message`, call: dialect.raw(method, [dialect.message(method, {})]) },
    ...codes.map((code) => ({
      name: `${method}: ${Code[code]}`,
      call: dialect.one(method, { failure: { code, message: `as ${Code[code]}` } }),
    })),
    ...['', 'ünï ☺ \u{1f600}', 'two\nlines\ttab', '100 % "quoted"', 'x'.repeat(2000)].map((it) => ({
      name: `${method}: a status message like ${JSON.stringify(it.slice(0, 20))}`,
      call: dialect.one(method, { failure: { code: Code.Aborted, message: it } }),
    })),
    {
      name: `${method}: a large error to a client that takes gzip`,
      call: dialect.one(
        method,
        { failure: { code: Code.Aborted, message: 'x'.repeat(2000) } },
        { [dialect.acceptHeader(method)]: 'gzip' },
      ),
      differs: uncompressed(dialect, method),
    },
    ...[0, 1, 2, 3, 4].map((count) => ({
      name: `${method}: ${count} error details`,
      call: dialect.one(method, {
        failure: { code: Code.Aborted, message: 'no', details: detailsOf(dialect).slice(0, count) },
      }),
    })),
    {
      name: `${method}: an exception that is no RPC error`,
      call: dialect.one(method, { failure: { code: 0, message: 'a secret' } }),
    },
  ]);

const pairs = (...entries: [string, string][]) => entries.map(([name, value]) => ({ name, value }));
const binary = Buffer.from([0, 1, 254, 255]).toString('base64');

const metadata = (dialect: Dialect): Case[] =>
  dialect.methods.flatMap((method) => {
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
      { name: `${method}: response headers and trailers`, call: dialect.one(method, set) },
      { name: `${method}: the same with an error`, call: dialect.one(method, { ...set, failure }) },
      {
        name: `${method}: trailers and an error`,
        call: dialect.one(method, { trailers: set.trailers, failure }),
      },
      { name: `${method}: metadata of an error`, call: dialect.one(method, { failure }) },
      {
        name: `${method}: an error before the first message`,
        call: dialect.one(method, { ...set, failure, count: 0 }),
      },
      {
        name: `${method}: request metadata`,
        call: dialect.one(
          method,
          { showHeaders: ['ascii', 'repeated', 'one-bin', 'many-bin', 'empty', 'spaces', 'absent'] },
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
const timeouts = (dialect: Dialect): Case[] => {
  const { header, tiny, short, ample, unusual, malformed } = dialect.timeouts;
  return dialect.methods.flatMap((method) => [
    {
      name: `${method}: a deadline of ${tiny} that passes`,
      call: dialect.one(method, { hang: true }, { [header]: tiny }),
      differs: {
        why: 'The grain of timers: ours does not call the method.',
        parts: ['message', 'observed'],
        ourStatus: String(Code.DeadlineExceeded),
      },
    },
    ...short.map((timeout) => ({
      name: `${method}: a deadline of ${timeout} that passes`,
      call: dialect.one(method, { hang: true }, { [header]: timeout }),
      differs: own(Code.DeadlineExceeded, late),
    })),
    ...ample.map((timeout) => ({
      name: `${method}: a deadline of ${timeout} that does not pass`,
      call: dialect.one(method, { text: 'in time' }, { [header]: timeout }),
    })),
    ...unusual.map((timeout) => ({
      name: `${method}: a deadline of ${timeout}`,
      call: dialect.one(method, { text: 'in time' }, { [header]: timeout }),
      differs: unlike(dialect, method, 0, 'It is clear what is meant: ours takes it.'),
    })),
    ...malformed.map((timeout) => ({
      name: `${method}: a malformed deadline, ${JSON.stringify(timeout)}`,
      call: dialect.one(method, {}, { [header]: timeout }),
      differs: {
        why: `Ours does not call the method. ${text}`,
        parts: isCalledAtOnce(method) ? (['message', 'observed'] as const) : (['message'] as const),
        ourStatus: String(Code.InvalidArgument),
      },
    })),
  ]);
};

/** How calls end, and what goes with the answer: statuses, details, metadata, deadlines. */
export const behaviourCases = (dialect: Dialect): Case[] => [
  ...statuses(dialect),
  ...metadata(dialect),
  ...timeouts(dialect),
  ...streamCases(dialect, detailsOf(dialect)),
];
