// Proves that header compression is RFC 7541's: its examples, what nghttp2 makes and reads, every code of Huffman's
// table; that lists which last are read whenever they come, whatever room the table has; and that a block that is
// hostile is refused with HpackError, without a table that outgrows its size.
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import net, { type Socket } from 'node:net';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { HpackDecoder, HpackError } from '../../../functions/rpc/http2/hpack/decoder.ts';
import { encodeField, maxFieldBytes } from '../../../functions/rpc/http2/hpack/encoder.ts';
import { decodeHuffman } from '../../../functions/rpc/http2/hpack/huffman.ts';
import { LastingFields } from '../../../functions/rpc/http2/hpack/lasting-fields.ts';
import { assertHeapBytes } from '../../support/heap.ts';
import { http2Frame, http2FramesOf } from '../../support/http2-bytes.ts';
import { listen } from '../../support/listener.ts';
import { eventually, withPatience } from '../../support/patience.ts';

type Field = readonly [name: string, value: string];

function decode(decoder: HpackDecoder, block: Buffer): Field[] {
  const fields: Field[] = [];
  decoder.decode(block, 0, block.length, { field: (name, value) => fields.push([name, value]) });
  return fields;
}

const hex = (text: string) => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');

/** A block of literals that are not indexed, as our encoder writes it. */
function encode(fields: readonly Field[]): Buffer {
  const target = Buffer.alloc(fields.reduce((sum, [name, value]) => sum + maxFieldBytes(name, value), 0));
  let at = 0;
  for (const [name, value] of fields) at = encodeField(name, value, target, at);
  return target.subarray(0, at);
}

describe('the examples of RFC 7541, appendix C', () => {
  const request1 = [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':path', '/'],
    [':authority', 'www.example.com'],
  ] as const;
  const requests = [
    request1,
    [...request1, ['cache-control', 'no-cache']],
    [
      [':method', 'GET'],
      [':scheme', 'https'],
      [':path', '/index.html'],
      [':authority', 'www.example.com'],
      ['custom-key', 'custom-value'],
    ],
  ];
  const date = 'Mon, 21 Oct 2013 20:13:21 GMT';
  const location: Field = ['location', 'https://www.example.com'];
  const responses = [
    [[':status', '302'], ['cache-control', 'private'], ['date', date], location],
    [[':status', '307'], ['cache-control', 'private'], ['date', date], location],
    [
      [':status', '200'],
      ['cache-control', 'private'],
      ['date', 'Mon, 21 Oct 2013 20:13:22 GMT'],
      location,
      ['content-encoding', 'gzip'],
      ['set-cookie', 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1'],
    ],
  ];
  const examples: [string, number, string[], readonly (readonly (readonly string[])[])[]][] = [
    [
      'C.2.1 a literal that is indexed',
      4096,
      ['400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572'],
      [[['custom-key', 'custom-header']]],
    ],
    [
      'C.2.2 a literal that is not',
      4096,
      ['040c 2f73 616d 706c 652f 7061 7468'],
      [[[':path', '/sample/path']]],
    ],
    [
      'C.2.3 a literal that never is',
      4096,
      ['1008 7061 7373 776f 7264 0673 6563 7265 74'],
      [[['password', 'secret']]],
    ],
    ['C.2.4 an index', 4096, ['82'], [[[':method', 'GET']]]],
    [
      'C.3 requests',
      4096,
      [
        '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
        '8286 84be 5808 6e6f 2d63 6163 6865',
        '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
      ],
      requests,
    ],
    [
      'C.4 requests in Huffman’s code',
      4096,
      [
        '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
        '8286 84be 5886 a8eb 1064 9cbf',
        '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
      ],
      requests,
    ],
    [
      'C.5 responses, with a table of 256 bytes',
      256,
      [
        `4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120
        474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`,
        '4803 3330 37c1 c0bf',
        `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738
        666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33
        3630 303b 2076 6572 7369 6f6e 3d31`,
      ],
      responses,
    ],
    [
      'C.6 responses in Huffman’s code',
      256,
      [
        `4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718
        63c7 8f0b 97c8 e9ae 82ae 43d3`,
        '4883 640e ffc1 c0bf',
        `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7
        b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07`,
      ],
      responses,
    ],
  ];
  for (const [name, tableBytes, blocks, expected] of examples) {
    it(name, () => {
      const decoder = new HpackDecoder(tableBytes);
      assert.deepEqual(
        blocks.map((block) => decode(decoder, hex(block))),
        expected,
      );
    });
  }
});

describe('Huffman’s code', () => {
  it('has NUL as appendix B has it', () => {
    const target = Buffer.alloc(4);
    assert.equal(decodeHuffman(hex('ffc7'), 0, 2, target), 1); // 1111111111000, and padding
    assert.equal(target[0], 0);
  });

  for (const [what, bytes] of [
    ['the end of the text in it', 'ffffffff'],
    ['eight bits of padding', '07ff'], // 00000 111 11111111: "0", and too many ones
    ['padding that is not all ones', '00'],
  ] as const) {
    it(`is refused with ${what}`, () => {
      const source = hex(bytes);
      assert.equal(decodeHuffman(source, 0, source.length, Buffer.alloc(64)), -1);
    });
  }
});

/** A client of node, that is nghttp2, whose bytes are read, and a server that says only what it is told. */
async function connect(t: { after(fn: () => Promise<void>): void }) {
  let received: Buffer = Buffer.alloc(0);
  const accepted = Promise.withResolvers<Socket>();
  const listener = await listen(
    net.createServer((socket) => {
      socket
        .on('error', () => {})
        .on('data', (chunk) => {
          received = Buffer.concat([received, chunk]);
        });
      accepted.resolve(socket);
    }),
  );
  const session = http2.connect(listener.endpoint, { maxSessionMemory: 100 });
  session.on('error', () => {});
  t.after(async () => {
    session.destroy();
    await listener[Symbol.asyncDispose]();
  });
  const socket = await accepted.promise;
  socket.write(http2Frame(4, 0, 0, Buffer.alloc(0)));
  const frames = () => http2FramesOf(received.subarray(24)); // what follows the preface (RFC 9113 section 3.4)
  return { session, socket, frames };
}

/** SETTINGS_HEADER_TABLE_SIZE */
function tableSize(bytes: number): Buffer {
  const setting = Buffer.alloc(6);
  setting.writeUInt16BE(1);
  setting.writeUInt32BE(bytes, 2);
  return http2Frame(4, 0, 0, setting);
}

type Frames = ReturnType<typeof http2FramesOf>;

/** The header blocks of requests, by their order. */
function blocksOf(frames: Frames): Buffer[] {
  const blocks: Buffer[] = [];
  for (const { type, flags, payload } of frames) {
    if (type === 1) blocks.push((flags & 0x20) !== 0 ? payload.subarray(5) : payload);
    if (type === 9) blocks.push(Buffer.concat([blocks.pop() ?? Buffer.alloc(0), payload]));
  }
  return blocks;
}

const names = fc.stringMatching(/^x-[a-z0-9-]{1,20}$/);
/** Node puts headers into one text with NUL between them; all else passes. */
const anyByte = fc.string({ unit: fc.integer({ min: 1, max: 255 }).map((it) => String.fromCharCode(it)) });
const visible = fc.string({
  unit: fc.integer({ min: 33, max: 126 }).map((it) => String.fromCharCode(it)),
  minLength: 1,
});

describe('nghttp2', () => {
  it('and we agree about each request of a connection, while the size of the table changes', async (t) => {
    const { session, socket, frames } = await connect(t);
    const decoder = new HpackDecoder(4096);
    const seen: Field[][] = [];
    let read = 0;
    const readOn = () => {
      const blocks = blocksOf(frames());
      for (; read < blocks.length; read++) seen.push(decode(decoder, blocks[read] ?? Buffer.alloc(0)));
      return read;
    };
    let acknowledged = 1;
    const acks = () => frames().filter(({ type, flags }) => type === 4 && (flags & 1) === 1).length;
    assert.ok(await eventually(() => acks() === 1));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(names, fc.oneof(visible, fc.constantFrom('a', 'b', 'c'.repeat(500)))), {
          maxLength: 12,
        }),
        fc.option(fc.constantFrom(0, 40, 100, 1000, 4096, 65_536), { nil: undefined }),
        async (fields, size) => {
          if (size !== undefined) {
            socket.write(tableSize(size));
            acknowledged += 1;
            assert.ok(await eventually(() => acks() === acknowledged));
          }
          const headers = Object.fromEntries(fields);
          session.request({ ':path': '/p', ...headers }, { endStream: true }).on('error', () => {});
          const count = seen.length + 1;
          assert.ok(await eventually(() => readOn() === count));
          const [last] = seen.slice(-1);
          assert.deepEqual(
            Object.fromEntries(last?.filter(([name]) => name.startsWith('x-')) ?? []),
            headers,
          );
          assert.deepEqual(
            last?.find(([name]) => name === ':path'),
            [':path', '/p'],
          );
        },
      ),
      { numRuns: 150 },
    );
  });

  it('and we agree about every character, in Huffman’s code', async (t) => {
    const { session, frames } = await connect(t);
    // So much of "0", whose code is short, that the code is shorter than the text.
    const texts = Array.from(
      { length: 255 },
      (_, index) => `${'0'.repeat(40)}${String.fromCharCode(index + 1)}`,
    );
    texts.push(...fc.sample(anyByte, 200));
    for (const text of texts) session.request({ 'x-text': text }).on('error', () => {});
    assert.ok(await eventually(() => blocksOf(frames()).length === texts.length));
    const decoder = new HpackDecoder(4096);
    const decoded = blocksOf(frames()).map(
      (block) => decode(decoder, block).find(([name]) => name === 'x-text')?.[1],
    );
    assert.deepEqual(decoded, texts);
  });

  it('reads what we encode', async (t) => {
    const { session, socket, frames } = await connect(t);
    let stream = -1;
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('200', '204', '404', '418', '500', '503'),
        fc.dictionary(fc.oneof(names, fc.constantFrom('content-type', 'grpc-status', 'etag')), visible),
        async (status, headers) => {
          stream += 2;
          const id = stream;
          const request = session.request({ ':path': '/' }, { endStream: true });
          request.on('error', () => {});
          const response = Promise.withResolvers<http2.IncomingHttpHeaders>();
          request.once('response', ({ ':status': code, ...rest }) =>
            response.resolve({ ...rest, code: String(code) }),
          );
          assert.ok(await eventually(() => frames().some((it) => it.type === 1 && it.stream === id)));
          const block = encode([[':status', status], ...Object.entries(headers)]);
          assert.deepEqual(decode(new HpackDecoder(4096), block), [
            [':status', status],
            ...Object.entries(headers),
          ]);
          socket.write(http2Frame(1, 5, id, block));
          const got = await withPatience(response.promise);
          assert.deepEqual(Object.fromEntries(Object.entries(got ?? {})), { ...headers, code: status });
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe('our own encoder', () => {
  it('is read by our own decoder, whatever the texts and their lengths', () => {
    const length = fc.oneof(fc.nat(300), fc.constantFrom(126, 127, 128, 254, 255, 16_384, 60_000));
    fc.assert(
      fc.property(fc.array(fc.tuple(names, anyByte, length), { maxLength: 20 }), (made) => {
        const fields = made.map(([name, text, bytes]): Field => [name, text.padEnd(bytes, 'ÿ')]);
        assert.deepEqual(decode(new HpackDecoder(4096), encode(fields)), fields);
      }),
    );
  });
});

describe('lists that last', () => {
  const write = (lasting: LastingFields, fields: readonly string[]) => {
    const target = Buffer.alloc(100_000);
    return target.subarray(0, lasting.encode(fields, target, 0));
  };

  it('are read by our own decoder, whatever room the table has, and whatever comes between them', () => {
    const name = fc.constantFrom(':status', 'content-type', 'grpc-message', 'x-a', 'x-b');
    const value = fc.constantFrom('200', '', 'a', 'b'.repeat(70), 'c'.repeat(300));
    const list = fc.array(fc.tuple(name, value), { maxLength: 8 }).map((fields) => fields.flat());
    const some = fc.array(list, { minLength: 1, maxLength: 80 });
    fc.assert(
      fc.property(
        some,
        fc.array(fc.nat(), { maxLength: 200 }),
        fc.constantFrom(0, 100, 500, 4096),
        (...made) => {
          const [lists, order, tableBytes] = made;
          const [lasting, decoder] = [new LastingFields(tableBytes), new HpackDecoder(tableBytes)];
          for (const at of order) {
            const fields = lists[at % lists.length] ?? [];
            assert.deepEqual(decode(decoder, write(lasting, fields)).flat(), fields);
            assert.deepEqual(decode(decoder, encode([['x-between', String(at)]])), [
              ['x-between', String(at)],
            ]);
          }
        },
      ),
    );
  });

  it('take a byte for each field once they are known', () => {
    const lists = [1, 2, 3].map((it) => [':status', '200', 'x-same', 'a'.repeat(100), 'x-own', String(it)]);
    const lasting = new LastingFields(4096);
    for (const fields of lists) write(lasting, fields);
    for (const fields of lists) assert.equal(write(lasting, fields).length, 3);
  });
});

it('lists that last keep less for each connection than the table has room for', () => {
  const text = 'a text of some length '.repeat(12);
  const lists = Array.from({ length: 26 }, (_, list) => [
    ':status',
    '200',
    'x-some',
    String(list % 13),
    'x-same',
    text,
    'x-text',
    `${list % 13} ${text}`,
  ]);
  const target = Buffer.alloc(1_000);
  const make = () => {
    const lasting = new LastingFields(4096);
    for (const fields of lists) lasting.encode(fields, target, 0);
    return lasting;
  };
  assertHeapBytes(make, 5_000, 'the lists of one connection');
});

describe('a block that is hostile', () => {
  for (const [what, block] of [
    ['an index of nothing', '80'],
    ['an index beyond the tables', 'be'],
    ['a name beyond the tables', '7e0161'],
    ['an integer that does not end', 'ff80808080808080808001'],
    ['an integer that is cut off', 'ff'],
    ['a text that is cut off', '000561'],
    ['a text that is longer than memory', '007fffffff7f'],
    ['a table that is larger than it may be', '3fe21f'], // 4097
    ['a table that changes after a field', '8220'],
  ] as const) {
    it(`is refused: ${what}`, () => {
      assert.throws(() => decode(new HpackDecoder(4096), hex(block)), HpackError);
    });
  }

  it('ends with HpackError or with fields, and the table never has more than it may', () => {
    // Pieces that mean something make longer blocks than random bytes do.
    const integer = (prefix: number, mask: number) =>
      fc.nat(mask - 1).map((value) => Buffer.of(prefix | value));
    const text = fc
      .uint8Array({ maxLength: 60 })
      .chain((bytes) =>
        fc.boolean().map((isCoded) => Buffer.concat([Buffer.of((isCoded ? 0x80 : 0) | bytes.length), bytes])),
      );
    const piece = fc.oneof(
      integer(0x80, 0x7f),
      integer(0x20, 0x1f),
      fc.tuple(integer(0x40, 0x3f), text).map(Buffer.concat),
      fc.tuple(fc.constant(Buffer.of(0x40)), text, text).map(Buffer.concat),
      fc.tuple(integer(0, 0x0f), text).map(Buffer.concat),
      fc.uint8Array({ maxLength: 20 }).map((it) => Buffer.from(it)),
    );
    fc.assert(
      fc.property(fc.array(fc.array(piece, { maxLength: 30 }), { maxLength: 5 }), (blocks) => {
        const decoder = new HpackDecoder(256);
        let fields: Field[] = [];
        try {
          for (const block of blocks) fields.push(...decode(decoder, Buffer.concat(block)));
        } catch (error) {
          assert.ok(error instanceof HpackError, String(error));
          return;
        }
        // What is in the table can be asked for, the newest first, up to the first index of nothing.
        fields = [];
        for (let index = 62; ; index++) {
          try {
            fields.push(...decode(decoder, Buffer.of(0x80 | index)));
          } catch {
            break;
          }
        }
        const bytes = fields.reduce((sum, [name, value]) => sum + name.length + value.length + 32, 0);
        assert.ok(bytes <= 256, `${bytes} bytes in ${fields.length} entries`);
      }),
      { numRuns: 2_000 },
    );
  });
});
