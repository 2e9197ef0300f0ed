import { brotliCompressSync, gzipSync } from 'node:zlib';
import { Code } from '@connectrpc/connect';
import { type Case, maxMessageBytes, noEncoding, own, text, unlike, unreadable } from './case.ts';
import { Dialect, isCalledAtOnce, isStream, type Method } from './dialect.ts';

const compression = (dialect: Dialect): Case[] =>
  dialect.methods.flatMap((method): Case[] => {
    const encoding = dialect.encodingHeader(method);
    const accept = dialect.acceptHeader(method);
    const gzip = { [encoding]: 'gzip', [accept]: 'gzip' };
    const isFramed = dialect.isFramed(method);
    const smallResponse = isStream(method) || !isFramed ? undefined : noEncoding(0);
    const large = dialect.payload({ count: 1, text: 'a'.repeat(5000) });
    return [
      { name: `${method}: a compressed request`, call: dialect.compressed(method, large) },
      { name: `${method}: a compressed request and response`, call: dialect.compressed(method, large, gzip) },
      {
        name: `${method}: a compressed response`,
        call: dialect.one(method, { pad: 20_000, count: 3 }, { [accept]: 'gzip' }),
      },
      {
        name: `${method}: a response that is too small to compress`,
        call: dialect.one(method, { pad: 100 }, { [accept]: 'gzip' }),
        differs: smallResponse,
      },
      {
        name: `${method}: several encodings accepted`,
        call: dialect.one(method, { pad: 5000 }, { [accept]: 'br, gzip ,identity' }),
      },
      {
        name: `${method}: no known encoding accepted`,
        call: dialect.one(method, { pad: 5000 }, { [accept]: 'zstd' }),
      },
      { name: `${method}: identity`, call: dialect.one(method, { pad: 5000 }, { [encoding]: 'identity' }) },
      {
        name: `${method}: an unknown encoding`,
        call: dialect.compressed(method, brotliCompressSync(dialect.payload({})), { [encoding]: 'br' }, same),
        differs: {
          why: `What could be refused at once is, and names what is taken (compression.md). ${text}`,
          parts: isCalledAtOnce(method) ? ['message', 'headers', 'observed'] : ['message', 'headers'],
          ourStatus: String(Code.Unimplemented),
        },
      },
      {
        name: `${method}: what is compressed is no gzip`,
        call: dialect.compressed(method, Buffer.from('nonsense'), gzip, same),
        differs: isFramed ? noEncoding(Code.InvalidArgument, 'message') : own(Code.InvalidArgument),
      },
      {
        name: `${method}: a message that grows beyond the limit`,
        call: dialect.compressed(method, dialect.payload({ text: 'a'.repeat(maxMessageBytes) }), gzip),
        differs: isFramed ? noEncoding(Code.ResourceExhausted, 'message') : own(Code.ResourceExhausted),
      },
      {
        name: `${method}: nothing, compressed`,
        call: dialect.compressed(method, Buffer.alloc(0), {}, same),
        differs: smallResponse,
      },
      ...(isFramed ? frameCompression(dialect, method) : []),
    ];
  });

const frameCompression = (dialect: Dialect, method: Method): Case[] => [
  {
    name: `${method}: gzip announced, message as it is`,
    call: dialect.one(method, { text: 'plain' }, { [dialect.encodingHeader(method)]: 'gzip' }),
    differs: isStream(method) ? undefined : noEncoding(0),
  },
  ...[gzipSync(dialect.payload({})), Buffer.alloc(0)].map((bytes) => ({
    name: `${method}: ${bytes.length} bytes compressed without an encoding`,
    call: dialect.raw(method, [dialect.framed(method, bytes, 1)]),
    differs: own(Code.Internal),
  })),
];

const same = (bytes: Uint8Array) => bytes;

const json = (dialect: Dialect): Case[] =>
  dialect.methods.flatMap((method): Case[] => {
    const call = (text: string) => dialect.raw(method, [dialect.framed(method, Buffer.from(text))]);
    return [
      { name: `${method}: JSON`, call: dialect.one(method, { text: 'ü', count: 2 }) },
      {
        name: `${method}: JSON, compressed`,
        call: dialect.compressed(method, Buffer.from('{"count":1,"pad":5000}')),
      },
      ...Object.entries(readableJson).map(([name, text]) => ({
        name: `${method}: JSON with ${name}`,
        call: call(text),
      })),
      {
        name: `${method}: JSON with an unknown field`,
        call: call('{"count":1,"new":{"a":[1,{}],"b":null}}'),
        differs: unlike(dialect, method, Code.InvalidArgument, 'A slip must not be lost: ours refuses it.'),
      },
      ...Object.entries(unreadableJson).map(([name, text]) => ({
        name: `${method}: JSON that can't be read, ${name}`,
        call: call(text),
        differs: unreadable(dialect, method),
      })),
    ];
  });

/** Long enough to be read in several turns of the event loop. */
const longList = JSON.stringify(Array.from({ length: 1000 }, (_, index) => `name-${index}`));

const readableJson = {
  'names as in the proto, and escapes': '{"count":1, "show_headers" : ["\\u0061bsent"]}',
  'values of any kind': '{"count":1,"anyJson":{"a":[1,"b",null,{"c":true}],"":{}}}',
  'a long list': `{"count":1,"showHeaders":${longList}}`,
  'a long list in a field that is none': `{"count":1,"anyJson":${longList}}`,
};

const unreadableJson = {
  half: '{"count":',
  'a text for a number': '{"count":"many"}',
  'a list': '[]',
  null: 'null',
  'a text': '"a secret"',
  'a key twice': '{"count":1,"c\\u006funt":2}',
  'a key twice, further in': '{"count":1,"anyJson":[{"a":1,"b":2,"a":3}]}',
  'a field by both names': '{"count":1,"showHeaders":["a"],"show_headers":["b"]}',
  'long lists of one field by both names': `{"count":1,"showHeaders":${longList},"show_headers":${longList}}`,
  'a long list with something else': `{"count":1,"showHeaders":${longList.replace('"name-999"', '999')}}`,
};

/** How messages are encoded: compressed, and as JSON. For a dialect with protobuf: formats are compressed alike. */
export const encodingCases = (dialect: Dialect): Case[] => [
  ...compression(dialect),
  ...json(new Dialect(dialect.wire, false)),
];
