import { gzipSync } from 'node:zlib';
import { Code } from '@connectrpc/connect';
import { type Case, maxMessageBytes, own, unreadable } from './case.ts';
import type { Dialect, Request } from './dialect.ts';
import { inWords } from './head.ts';
import type { RawCall } from './raw-call.ts';

/** A call by GET with these parameters, in this order. */
function get(parameters: Record<string, string>, headers: RawCall['headers'] = {}): RawCall {
  const path = `/test.echo.v1.Echo/Get?${new URLSearchParams(parameters)}`;
  return { path, method: 'GET', headers, body: [] };
}

/** With a request in the format of the dialect. */
function asking(dialect: Dialect, request: Request, headers?: RawCall['headers']): RawCall {
  return get({ ...encoded(dialect.payload(request)), encoding: encodingOf(dialect), connect: 'v1' }, headers);
}

const encodingOf = ({ isBinary }: Dialect) => (isBinary ? 'proto' : 'json');
const encoded = (bytes: Uint8Array) => ({ base64: '1', message: Buffer.from(bytes).toString('base64url') });

const messages = (dialect: Dialect): Case[] => {
  const encoding = encodingOf(dialect);
  const payload = dialect.payload({ text: 'ü?/ >~'.repeat(5), count: 1 });
  const base64 = payload.toString('base64');
  const call = (parameters: Record<string, string>) => get({ encoding, ...parameters });
  return [
    {
      name: 'GET: a message',
      call: asking(dialect, { text: 'hello', showHeaders: ['x-header'] }, { 'x-header': 'a' }),
    },
    {
      name: 'GET: base64 with padding',
      call: call({ base64: '1', message: base64.replaceAll('+', '-').replaceAll('/', '_') }),
    },
    { name: 'GET: base64 for no URL', call: call({ base64: '1', message: base64 }) },
    { name: 'GET: a message as it is', call: call({ message: payload.toString() }) },
    { name: 'GET: another value of base64', call: call({ base64: '0', message: payload.toString() }) },
    {
      name: 'GET: parameters that nobody knows',
      call: call({ ...encoded(payload), new: 'a', connect: 'v2' }),
    },
    {
      name: 'GET: without a message',
      call: call({}),
      differs: dialect.isBinary ? undefined : unreadable(dialect, 'Unary'),
    },
    { name: 'GET: a large message', call: asking(dialect, { text: 'a'.repeat(10_000) }) },
    ...['!', 'A', 'AAA=A', 'AA=A'].map((message) => ({
      name: `GET: what is no base64, ${message}`,
      call: call({ base64: '1', message }),
      differs: {
        why: 'Stock says INTERNAL, as if it were the fault of the server.',
        parts: ['status', 'message', 'http'] as const,
        ourStatus: String(Code.InvalidArgument),
      },
    })),
    {
      name: 'GET: base64 with a space',
      call: call({ base64: '1', message: base64.replace(/^..../, '$& ') }),
      differs: {
        why: 'A "+" that nobody has escaped is a space in a URL: stock leaves it out, and reads what nobody has sent.',
        parts: [
          ...(dialect.isBinary ? (['headers'] as const) : []),
          ...(['status', 'message', 'messages', 'http', 'observed'] as const),
        ],
        ourStatus: String(Code.InvalidArgument),
      },
    },
    {
      name: 'GET: a message that can not be read',
      call: call(encoded(Buffer.from([255, 255]))),
      differs: unreadable(dialect, 'Unary'),
    },
  ];
};

const compression = (dialect: Dialect): Case[] => {
  const call = (compression: string, bytes: Uint8Array, headers = {}) =>
    get({ encoding: encodingOf(dialect), compression, ...encoded(bytes) }, headers);
  const payload = dialect.payload({ pad: 5000 });
  return [
    { name: 'GET: compressed', call: call('gzip', gzipSync(payload)) },
    { name: 'GET: a compressed response', call: call('identity', payload, { 'accept-encoding': 'gzip' }) },
    {
      name: 'GET: nothing, compressed',
      call: call('gzip', Buffer.alloc(0)),
      differs: dialect.isBinary ? undefined : unreadable(dialect, 'Unary'),
    },
    { name: 'GET: what is no gzip', call: call('gzip', payload), differs: own(Code.InvalidArgument) },
    {
      name: 'GET: a message that grows beyond the limit',
      call: call('gzip', gzipSync(dialect.payload({ text: 'a'.repeat(maxMessageBytes) }))),
      differs: own(Code.ResourceExhausted),
    },
    {
      name: 'GET: an unknown compression',
      call: call('br', payload),
      differs: { ...own(Code.Unimplemented), parts: ['message', 'headers'] },
    },
  ];
};

const ends = (dialect: Dialect): Case[] => {
  const failure = { code: Code.NotFound, message: 'no', metadata: [{ name: 'x-error', value: 'a' }] };
  const { header, short, malformed } = dialect.timeouts;
  return [
    { name: 'GET: an error', call: asking(dialect, { failure }) },
    {
      name: 'GET: headers and trailers',
      call: asking(dialect, { headers: [{ name: 'a', value: 'b' }], trailers: [{ name: 'c', value: 'd' }] }),
    },
    ...short.map((timeout) => ({
      name: `GET: a deadline of ${timeout} that passes`,
      call: asking(dialect, { hang: true }, { [header]: timeout }),
      differs: own(Code.DeadlineExceeded),
    })),
    ...malformed.map((timeout) => ({
      name: `GET: a malformed deadline, ${timeout}`,
      call: asking(dialect, {}, { [header]: timeout }),
      differs: own(Code.InvalidArgument),
    })),
  ];
};

const heads = (dialect: Dialect): Case[] => {
  const call = asking(dialect, {});
  return [
    {
      name: 'GET: a content type of Connect',
      call: asking(dialect, {}, { 'content-type': 'application/json' }),
    },
    { name: 'POST to a method that may be called by GET', call: dialect.one('Get', { text: 'posted' }) },
    { name: 'GET: an unknown encoding', call: get({ encoding: 'xml', message: '' }), differs: inWords },
    { name: 'GET: no encoding', call: get({ message: '' }), differs: inWords },
    {
      name: 'GET of a method that has side effects',
      call: { ...call, path: call.path.replace('Get', 'Unary') },
      differs: inWords,
    },
    {
      name: 'GET of a stream',
      call: { ...call, path: call.path.replace('Get', 'ServerStream') },
      differs: inWords,
    },
    {
      name: 'GET of nothing',
      call: { ...call, path: call.path.replace('Get', 'Nothing') },
      differs: inWords,
    },
    {
      name: 'HEAD instead of GET',
      call: { ...call, method: 'HEAD' },
      differs: { ...inWords, parts: ['headers'] },
    },
  ];
};

/** Calls of Connect by GET, with the message in the URL. */
export const getCases = (dialect: Dialect): Case[] => [
  ...messages(dialect),
  ...compression(dialect),
  ...ends(dialect),
  ...heads(dialect),
];
