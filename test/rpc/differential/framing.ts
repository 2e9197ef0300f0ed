import { Code } from '@connectrpc/connect';
import { type Case, type Difference, maxMessageBytes, own, type Part, unreadable } from './case.ts';
import { type Dialect, isCalledAtOnce, type Method } from './dialect.ts';

const sizes = (dialect: Dialect, method: Method): Case[] => {
  const room = maxMessageBytes - dialect.payload({ count: 1, text: 'a'.repeat(1000) }).length + 1000;
  // The length of a longer text takes one byte more in protobuf.
  const atLimit = dialect.isBinary ? room - 1 : room;
  return [
    {
      name: `${method}: a message at the limit`,
      call: dialect.one(method, { text: 'a'.repeat(atLimit) }),
    },
    {
      name: `${method}: a message above the limit`,
      call: dialect.one(method, { text: 'a'.repeat(atLimit + 1) }),
      differs: own(Code.ResourceExhausted),
    },
    {
      name: `${method}: a response above the limit`,
      call: dialect.one(method, { text: 'last', pad: maxMessageBytes }),
      differs: own(Code.ResourceExhausted),
    },
  ];
};

/** The body is the message. */
const bare = (dialect: Dialect, method: Method): Case[] => [
  {
    name: `${method}: an empty body`,
    call: dialect.raw(method, []),
    differs: dialect.isBinary ? undefined : unreadable(dialect, method),
  },
];

/** Messages have prefixes. */
const framed = (dialect: Dialect, method: Method): Case[] => {
  const payload = dialect.payload({ count: 1, text: 'whole' });
  const whole = dialect.framed(method, payload);
  const isSingle = method === 'Unary' || method === 'ServerStream';
  return [
    {
      name: `${method}: no message`,
      call: dialect.raw(method, []),
      differs: isSingle ? own(Code.Unimplemented) : undefined,
    },
    {
      name: `${method}: two messages`,
      call: dialect.raw(method, [whole, whole]),
      differs: isSingle ? own(Code.Unimplemented) : undefined,
    },
    {
      name: `${method}: two messages in one piece`,
      call: dialect.raw(method, [Buffer.concat([whole, whole])]),
      differs: isSingle ? own(Code.Unimplemented) : undefined,
    },
    {
      name: `${method}: half a prefix`,
      call: dialect.raw(method, [whole.subarray(0, 3)]),
      differs: own(Code.InvalidArgument),
    },
    {
      name: `${method}: half a message`,
      call: dialect.raw(method, [whole.subarray(0, 8)]),
      differs: own(Code.InvalidArgument),
    },
    {
      name: `${method}: a message and a half`,
      call: dialect.raw(method, [whole, whole.subarray(0, 8)]),
      differs: own(Code.InvalidArgument),
    },
    ...[2, 4, 128].map((flags) => ({
      name: `${method}: flags that no request has, ${flags}`,
      call: dialect.raw(method, [dialect.framed(method, payload, flags)]),
      differs: flags === dialect.endFlag ? ended(method) : unknownFlags,
    })),
  ];
};

const unknownFlags: Difference = {
  why: 'A flag that nobody knows may change what the message means: ours refuses it, stock skips it.',
  parts: ['status', 'message', 'messages', 'observed'],
  ourStatus: String(Code.InvalidArgument),
};

/**
 * The flag that ends responses: stock refuses it too where the method takes one message, and else ends the stream by
 * it.
 */
function ended(method: Method): Difference {
  const why = 'No request has this flag: ours refuses it as any other.';
  const parts: Part[] = ['status', 'message'];
  if (isCalledAtOnce(method)) parts.push('observed');
  if (method === 'ClientStream') parts.push('messages');
  return { why, parts, ourStatus: String(Code.InvalidArgument) };
}

/** How the bytes of a request are messages: whole or not, as large as may be or larger, readable or not. */
export const framingCases = (dialect: Dialect): Case[] =>
  dialect.methods.flatMap((method) => {
    const whole = dialect.message(method, { count: 1, text: 'whole' });
    const length = { 'content-length': String(whole.length) };
    return [
      ...(dialect.isFramed(method) ? framed(dialect, method) : bare(dialect, method)),
      ...sizes(dialect, method),
      {
        name: `${method}: a large message of many fields`,
        call: dialect.one(method, {
          showHeaders: Array.from({ length: 1000 }, (_, index) => `name-${index}`),
        }),
      },
      { name: `${method}: a message of a known length`, call: dialect.raw(method, [whole], length) },
      {
        name: `${method}: a message byte by byte`,
        call: dialect.raw(
          method,
          Array.from(whole, (it) => Buffer.from([it])),
        ),
      },
      {
        name: `${method}: a message that can't be read`,
        call: dialect.raw(method, [dialect.framed(method, Buffer.from([255, 255, 255]))]),
        differs: unreadable(dialect, method),
      },
      {
        name: `${method}: a message with a field of another type`,
        call: dialect.raw(method, [dialect.framed(method, Buffer.from([10, 200]))]),
        differs: unreadable(dialect, method),
      },
    ];
  });
