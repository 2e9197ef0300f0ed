// Proves that our engine and node:http2 do the same with the same bytes: generated conversations, of requests in any
// pieces and any order, with what else a client may send and with faults, have equivalent outcomes. Where they do not,
// a row of `differences` says why. CONVERSATIONS=5000 tries more of them than npm test does.
import assert from 'node:assert/strict';
import net from 'node:net';
import { it } from 'node:test';
import fc from 'fast-check';
import { HpackDecoder, HpackError } from '../../../functions/rpc/http2/hpack/decoder.ts';
import { frame } from '../../support/frames.ts';
import { beginning, http2Frame, http2FramesOf } from '../../support/http2-bytes.ts';
import { eventually } from '../../support/patience.ts';
import { setting, uint32 } from '../../support/raw-http2.ts';
import { closeBefore, type Serving } from '../../support/server.ts';
import { serve } from '../echo.ts';
import { echoService } from '../echo-service.ts';

const count = Number(process.env.CONVERSATIONS ?? 400);
/** So many connections at once: most of a conversation is waiting. */
const together = 20;

/** What became of one request. */
interface Outcome {
  status: string;
  headers: string[];
  body: string;
  trailers: string[];
  resetCode: number | undefined;
}

/** What became of a conversation. */
interface Ending {
  /** The code of the GOAWAY, or that the connection goes on. */
  readonly connection: number | 'open' | 'cut';
  readonly streams: ReadonlyMap<number, Outcome>;
}

/** What a client says, and what it can tell of the answers. */
interface Conversation {
  readonly bytes: Buffer;
  /** Where the bytes are cut in two. */
  readonly cutAt: number;
  /** Streams whose requests are complete, or answered early. */
  readonly answered: readonly number[];
  /** Streams that the client cancels: what it hears of them is chance. */
  readonly cancelled: ReadonlySet<number>;
  readonly fault: string;
}

/** What became of a fault, in a word: how the connection ended, or else what its stream got. */
const differences: Record<string, { readonly own: string; readonly node: string; readonly why: string }> = {
  'PRIORITY of stream 0': {
    own: 'GOAWAY 1',
    node: 'nothing',
    why: 'RFC 9113 section 6.3: an error of the connection',
  },
  'a stream’s window by nothing': {
    own: 'reset 1',
    node: 'GOAWAY 1',
    why: 'section 6.9: an error of the stream',
  },
  'a stream’s window by too much': {
    own: 'reset 3',
    node: 'GOAWAY 3',
    why: 'section 6.9.1: the stream, by a reset',
  },
  'a name with a space': {
    own: 'reset 1',
    node: '200',
    why: 'section 8.2.1: malformed; node leaves the field out',
  },
  'an empty name': {
    own: 'reset 1',
    node: '200',
    why: 'section 8.2.1: malformed; node leaves the field out',
  },
  'a value with a line feed': {
    own: 'reset 1',
    node: '200',
    why: 'section 8.2.1: malformed; node leaves it out',
  },
  'a value with NUL': { own: 'reset 1', node: '200', why: 'section 8.2.1: malformed; node leaves it out' },
  'a path without a slash': { own: '404', node: 'reset 1', why: 'nothing is there; as good, and it says so' },
  'a method with a space': { own: '404', node: 'reset 1', why: 'nothing is there; as good, and it says so' },
  'no authority': {
    own: '400',
    node: 'reset 1',
    why: 'it may be absent (section 8.3.1); the answer says what we need',
  },
};

const text = (it: string) => Buffer.concat([Buffer.of(it.length), Buffer.from(it)]);
const literal = (name: string, value: string) => Buffer.concat([Buffer.of(0), text(name), text(value)]);
const fieldsOf = (fields: readonly (readonly [string, string])[]) =>
  Buffer.concat(fields.map(([name, value]) => literal(name, value)));

function callFields(path: string, more: readonly (readonly [string, string])[] = []) {
  return fieldsOf([
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', path],
    [':authority', 'a'],
    ['content-type', 'application/grpc'],
    ['te', 'trailers'],
    ...more,
  ]);
}

const echo = (method: string) => `/test.echo.v1.Echo/${method}`;

/** A field of a message: a text (1), the count (2), the pad (7). */
const message = fc
  .record({
    text: fc.string({ unit: 'grapheme-ascii', maxLength: 60 }),
    count: fc.nat(3),
    pad: fc.constantFrom(0, 10, 3_000, 90_000),
  })
  .map(({ text: value, count: times, pad }) => {
    const bytes = Buffer.from([0x10, times, 0x38, (pad & 127) | 128, ((pad >>> 7) & 127) | 128, pad >>> 14]);
    return frame(Buffer.concat([Buffer.of(0x0a), text(value), bytes]));
  });

/** DATA of a body, cut anywhere, padded or not, some of it empty. */
function bodyFrames(
  stream: number,
  body: Buffer,
  cuts: readonly number[],
  paddings: readonly number[],
  ends: boolean,
) {
  const places = [0, ...cuts.map((it) => it % (body.length + 1)).sort((a, b) => a - b), body.length];
  return places.slice(1).map((to, index) => {
    const part = body.subarray(places[index], to);
    const flags = ends && index === places.length - 2 ? 1 : 0;
    const padding = paddings[index];
    if (padding === undefined || padding === 0) return http2Frame(0, flags, stream, part);
    return http2Frame(0, flags | 8, stream, Buffer.concat([Buffer.of(padding), part, Buffer.alloc(padding)]));
  });
}

/** A header block in one frame, or in several. */
function headerFrames(stream: number, block: Buffer, flags: number, cuts: readonly number[]) {
  const places = [0, ...cuts.map((it) => it % (block.length + 1)).sort((a, b) => a - b), block.length];
  const frames = places.slice(1).map((to, index) => {
    const ends = index === places.length - 2 ? 4 : 0;
    return http2Frame(
      index === 0 ? 1 : 9,
      index === 0 ? flags | ends : ends,
      stream,
      block.subarray(places[index], to),
    );
  });
  return Buffer.concat(frames);
}

const requests = fc.record({
  path: fc.constantFrom(
    echo('Unary'),
    echo('ServerStream'),
    echo('ClientStream'),
    echo('Bidi'),
    echo('None'),
    '/x',
  ),
  messages: fc.array(message, { minLength: 1, maxLength: 3 }),
  more: fc.array(
    fc.tuple(fc.constantFrom('x-a', 'cookie', 'x-b-bin', 'accept'), fc.constantFrom('a', 'YQ', 'b c', '')),
    { maxLength: 4 },
  ),
  headerCuts: fc.array(fc.nat(200), { maxLength: 3 }),
  cuts: fc.array(fc.nat(5_000), { maxLength: 4 }),
  paddings: fc.array(fc.nat(120), { maxLength: 3 }),
  end: fc.constantFrom('data', 'data', 'empty', 'trailers', 'cancel'),
});

const between = fc.oneof(
  fc.uint8Array({ minLength: 8, maxLength: 8 }).map((it) => http2Frame(6, 0, 0, Buffer.from(it))),
  fc.nat(70_000).map((more) => http2Frame(8, 0, 0, uint32(1 + more))),
  fc.constantFrom(100, 65_535, 100_000).map((bytes) => http2Frame(4, 0, 0, setting(4, bytes))),
  fc.constantFrom(16_384, 30_000).map((bytes) => http2Frame(4, 0, 0, setting(5, bytes))),
  fc.constantFrom(0, 100, 4_096).map((bytes) => http2Frame(4, 0, 0, setting(1, bytes))),
  fc.constant(http2Frame(4, 0, 0, setting(77, 1))),
  fc
    .tuple(fc.integer({ min: 20, max: 255 }), fc.nat(255))
    .map(([type, flags]) => http2Frame(type, flags, 0, Buffer.from('abc'))),
  fc.constant(http2Frame(2, 0, 1, Buffer.of(0, 0, 0, 0, 16))),
);

/** What a client may not do: frames, with a new stream to do it on. */
const faults: Record<string, (stream: number) => readonly Buffer[]> = {
  none: () => [],
  'DATA of stream 0': () => [http2Frame(0, 0, 0, Buffer.from('a'))],
  'DATA of a stream that is not there': (stream) => [http2Frame(0, 0, stream, Buffer.from('a'))],
  'HEADERS of stream 0': () => [http2Frame(1, 5, 0, callFields(echo('Unary')))],
  'HEADERS of an even stream': () => [http2Frame(1, 5, 2, callFields(echo('Unary')))],
  'padding beyond the frame': (stream) => [
    http2Frame(1, 4, stream, callFields(echo('Unary'))),
    http2Frame(0, 8, stream, Buffer.of(9, 1, 2)),
  ],
  'a header block that is interrupted': (stream) => [
    http2Frame(1, 0, stream, callFields(echo('Unary'))),
    http2Frame(6, 0, 0, Buffer.alloc(8)),
  ],
  'CONTINUATION of nothing': (stream) => [http2Frame(9, 4, stream, Buffer.alloc(0))],
  'HPACK that is none': (stream) => [http2Frame(1, 5, stream, Buffer.from('ff80808080808080', 'hex'))],
  'PING of seven bytes': () => [http2Frame(6, 0, 0, Buffer.alloc(7))],
  'PING of a stream': (stream) => [http2Frame(6, 0, stream, Buffer.alloc(8))],
  'half a setting': () => [http2Frame(4, 0, 0, Buffer.alloc(5))],
  'an acknowledgement that says something': () => [http2Frame(4, 1, 0, setting(4, 1))],
  'SETTINGS of a stream': (stream) => [http2Frame(4, 0, stream, Buffer.alloc(0))],
  'a window that is too large': () => [http2Frame(4, 0, 0, setting(4, 2 ** 31))],
  'a frame size that is too small': () => [http2Frame(4, 0, 0, setting(5, 16_383))],
  'ENABLE_PUSH of 2': () => [http2Frame(4, 0, 0, setting(2, 2))],
  'WINDOW_UPDATE by nothing': () => [http2Frame(8, 0, 0, uint32(0))],
  'WINDOW_UPDATE by too much': () => [http2Frame(8, 0, 0, uint32(2 ** 31 - 1))],
  'WINDOW_UPDATE of three bytes': () => [http2Frame(8, 0, 0, Buffer.alloc(3))],
  'WINDOW_UPDATE of a stream that is not there': (stream) => [http2Frame(8, 0, stream, uint32(1))],
  'RST_STREAM of a stream that is not there': (stream) => [http2Frame(3, 0, stream, uint32(8))],
  'RST_STREAM of stream 0': () => [http2Frame(3, 0, 0, uint32(8))],
  'RST_STREAM of three bytes': (stream) => [
    http2Frame(1, 4, stream, callFields(echo('Unary'))),
    http2Frame(3, 0, stream, Buffer.alloc(3)),
  ],
  PUSH_PROMISE: (stream) => [http2Frame(5, 4, stream, Buffer.concat([uint32(2), callFields(echo('Unary'))]))],
  'a frame that is too large': () => [http2Frame(99, 0, 0, Buffer.alloc(16_385))],
  'GOAWAY of seven bytes': () => [http2Frame(7, 0, 0, Buffer.alloc(7))],
  'GOAWAY of a stream': (stream) => [http2Frame(7, 0, stream, Buffer.alloc(8))],
  'PRIORITY of four bytes': (stream) => [http2Frame(2, 0, stream, Buffer.alloc(4))],
  'PRIORITY of stream 0': () => [http2Frame(2, 0, 0, Buffer.alloc(5))],
};
/** Headers by which a request is malformed, or looks so. */
const malformed: Record<string, readonly (readonly [string, string])[]> = {
  'a name in capitals': [['X-A', 'b']],
  'a name with a space': [['x a', 'b']],
  'an empty name': [['', 'b']],
  'a value with a line feed': [['x-a', 'b\nc']],
  'a value with NUL': [['x-a', 'b\0c']],
  'a value with a control character': [['x-a', 'b\x01c']],
  'a value with spaces around it': [['x-a', ' b ']],
  'a value beyond ASCII': [['x-a', '\xe9']],
  connection: [['connection', 'close']],
  'keep-alive': [['keep-alive', 'a']],
  'transfer-encoding': [['transfer-encoding', 'chunked']],
  upgrade: [['upgrade', 'a']],
  'te of gzip': [['te', 'gzip']],
  'te in capitals': [['te', 'Trailers']],
  'a pseudo header at the end': [[':path', '/y']],
  'a pseudo header of responses': [[':status', '200']],
  'a pseudo header that nobody knows': [[':protocol', 'x']],
  'a content-length that is none': [['content-length', 'abc']],
  'an empty content-length': [['content-length', '']],
  'a content-length below zero': [['content-length', '-1']],
  'a content-length with a sign': [['content-length', '+1']],
  'two content-lengths': [
    ['content-length', '1'],
    ['content-length', '2'],
  ],
  'a list of content-lengths': [['content-length', '1, 1']],
  'a host beside the authority': [['host', 'b']],
  'two hosts': [
    ['host', 'a'],
    ['host', 'b'],
  ],
};
for (const [what, more] of Object.entries(malformed)) {
  faults[what] = (stream) => [http2Frame(1, 5, stream, callFields(echo('Unary'), more))];
}
/** Requests that lack something, or have something odd in the first place. */
const odd: Record<string, readonly (readonly [string, string])[]> = {
  'no method': [
    [':scheme', 'http'],
    [':path', '/'],
    [':authority', 'a'],
  ],
  'no scheme': [
    [':method', 'GET'],
    [':path', '/'],
    [':authority', 'a'],
  ],
  'no path': [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':authority', 'a'],
  ],
  'an empty path': [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':path', ''],
    [':authority', 'a'],
  ],
  'a path without a slash': [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':path', 'x'],
    [':authority', 'a'],
  ],
  'a path of OPTIONS': [
    [':method', 'OPTIONS'],
    [':scheme', 'http'],
    [':path', '*'],
    [':authority', 'a'],
  ],
  'a path with a line feed': [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':path', '/\n'],
    [':authority', 'a'],
  ],
  'no authority': [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':path', '/'],
  ],
  'two paths': [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':path', '/'],
    [':path', '/'],
    [':authority', 'a'],
  ],
  'a method with a space': [
    [':method', 'G T'],
    [':scheme', 'http'],
    [':path', '/'],
    [':authority', 'a'],
  ],
  CONNECT: [
    [':method', 'CONNECT'],
    [':authority', 'a:1'],
  ],
  'CONNECT with a path': [
    [':method', 'CONNECT'],
    [':scheme', 'http'],
    [':path', '/'],
    [':authority', 'a:1'],
  ],
  HEAD: [
    [':method', 'HEAD'],
    [':scheme', 'http'],
    [':path', '/healthz'],
    [':authority', 'a'],
  ],
  GET: [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':path', '/healthz'],
    [':authority', 'a'],
  ],
  'nothing at all': [],
};
for (const [what, fields] of Object.entries(odd)) {
  faults[what] = (stream) => [http2Frame(1, 5, stream, fieldsOf(fields))];
}
const grpc = (stream: number, flags = 4, more: readonly (readonly [string, string])[] = []) =>
  http2Frame(1, flags, stream, callFields(echo('Unary'), more));
const emptyMessage = frame(Buffer.alloc(0));
Object.assign(faults, {
  'more DATA than content-length': (stream) => [
    grpc(stream, 4, [['content-length', '1']]),
    http2Frame(0, 1, stream, emptyMessage),
  ],
  'less DATA than content-length': (stream) => [
    grpc(stream, 4, [['content-length', '9']]),
    http2Frame(0, 1, stream, emptyMessage),
  ],
  'no DATA for content-length': (stream) => [grpc(stream, 5, [['content-length', '9']])],
  'trailers that do not end the request': (stream) => [
    grpc(stream),
    http2Frame(1, 4, stream, literal('x-a', 'b')),
  ],
  'trailers with a pseudo header': (stream) => [
    grpc(stream),
    http2Frame(1, 5, stream, literal(':path', '/')),
  ],
  'trailers with a name in capitals': (stream) => [
    grpc(stream),
    http2Frame(1, 5, stream, literal('X-A', 'b')),
  ],
  'a stream’s window by nothing': (stream) => [grpc(stream), http2Frame(8, 0, stream, uint32(0))],
  'a stream’s window by too much': (stream) => [grpc(stream), http2Frame(8, 0, stream, uint32(2 ** 31 - 1))],
  'HEADERS that depend on themselves': (stream) => [
    http2Frame(1, 0x25, stream, Buffer.concat([uint32(stream), Buffer.of(16), callFields(echo('Unary'))])),
  ],
} satisfies typeof faults);

const conversations = fc
  .record({
    talk: fc.array(requests, { maxLength: 5 }),
    extra: fc.array(between, { maxLength: 5 }),
    fault: fc.constantFrom('none', 'none', ...Object.keys(faults)),
    order: fc.array(fc.nat(10_000), { minLength: 60, maxLength: 60 }),
    cutAt: fc.nat(10_000),
  })
  .map(({ talk, extra, fault, order, cutAt }): Conversation => {
    const cancelled = new Set<number>();
    const lines = talk.map((it, index): Buffer[] => {
      const stream = 1 + 2 * index;
      const body = Buffer.concat(it.messages);
      const frames: Buffer[] = [headerFrames(stream, callFields(it.path, it.more), 0, it.headerCuts)];
      frames.push(...bodyFrames(stream, body, it.cuts, it.paddings, it.end === 'data'));
      if (it.end === 'empty') frames.push(http2Frame(0, 1, stream, Buffer.alloc(0)));
      if (it.end === 'trailers') frames.push(headerFrames(stream, fieldsOf([['x-end', '1']]), 1, []));
      if (it.end === 'cancel') {
        cancelled.add(stream);
        frames.push(http2Frame(3, 0, stream, uint32(8)));
      }
      return frames;
    });
    // Streams are opened in order; all else mixes.
    const parts: Buffer[] = [];
    lines.push([...extra]);
    let opened = 0;
    for (let at = 0; lines.some((line) => line.length > 0); at++) {
      const choice = (order[at % order.length] ?? 0) % lines.length;
      const isExtra = choice === lines.length - 1;
      const line = isExtra ? lines[choice] : lines[Math.min(choice, opened)];
      const next = (line?.length ? line : lines.find((it) => it.length > 0))?.shift();
      if (next === undefined) break;
      if (next[3] === 1 && next.readUInt32BE(5) > 2 * opened) opened += 1;
      parts.push(next);
    }
    const faultStream = 1 + 2 * talk.length;
    parts.push(...(faults[fault]?.(faultStream) ?? []));
    // Whatever windows there were: all answers fit in the end.
    parts.push(http2Frame(4, 0, 0, setting(4, 2 ** 20)), http2Frame(8, 0, 0, uint32(2 ** 24)));
    const bytes = Buffer.concat(parts);
    return {
      bytes,
      cutAt: cutAt % (bytes.length + 1),
      answered: talk.map((_, index) => 1 + 2 * index),
      cancelled,
      fault,
    };
  });

/** Says it all to a server, and hears what there is to hear. */
async function converse(
  serving: Serving,
  { bytes, cutAt, answered, cancelled, fault }: Conversation,
): Promise<Ending> {
  const socket = net.connect(serving.port, '127.0.0.1');
  closeBefore(serving, () => socket.destroy());
  let isClosed = false;
  let received: Buffer = Buffer.alloc(0);
  let frames: ReturnType<typeof http2FramesOf> = [];
  socket
    .on('error', () => {})
    .on('close', () => {
      isClosed = true;
    })
    .on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      frames = http2FramesOf(received);
    });
  socket.write(Buffer.concat([beginning(), bytes.subarray(0, cutAt)]));
  await new Promise((resolve) => setImmediate(resolve));
  socket.write(bytes.subarray(cutAt));
  const hasFailed = () => isClosed || frames.some((it) => it.type === 7 && it.payload.readUInt32BE(4) > 0);
  const isOver = (stream: number) =>
    frames.some((it) => it.stream === stream && (it.type === 3 || (it.type <= 1 && (it.flags & 1) === 1)));
  const isDone = () => answered.every((it) => cancelled.has(it) || isOver(it));
  assert.ok(await eventually(() => hasFailed() || isDone()), `${fault}: a call is open`);
  if (opens(fault)) await eventually(() => hasFailed() || isOver(1 + 2 * answered.length));
  const ping = Buffer.from('the end!');
  if (!isClosed) socket.write(http2Frame(6, 0, 0, ping));
  const isAlive = () => frames.some((it) => it.type === 6 && it.payload.equals(ping));
  assert.ok(await eventually(() => hasFailed() || isAlive()), `${fault}: neither closed nor alive`);
  const code = frames.findLast(({ type }) => type === 7)?.payload.readUInt32BE(4);
  const streams = outcomesOf(frames);
  socket.destroy();
  return { connection: code ?? (isClosed ? 'cut' : 'open'), streams };
}

/** Whether a fault is a request of its own. */
function opens(fault: string): boolean {
  return (
    faults[fault]?.(1)[0]?.[3] === 1 && !/stream 0|even stream|interrupted|HPACK|three bytes/.test(fault)
  );
}

/** What a strict client makes of the frames. */
function outcomesOf(frames: ReturnType<typeof http2FramesOf>): Map<number, Outcome> {
  const decoder = new HpackDecoder(4096);
  const streams = new Map<number, Outcome>();
  let block: Uint8Array[] = [];
  for (const { type, flags, stream, payload } of frames) {
    if (stream === 0) continue;
    let outcome = streams.get(stream);
    if (outcome === undefined) {
      outcome = { status: '', headers: [], body: '', trailers: [], resetCode: undefined };
      streams.set(stream, outcome);
    }
    if (type === 0) outcome.body += payload.toString('hex');
    if (type === 3) outcome.resetCode = payload.readUInt32BE();
    if (type !== 1 && type !== 9) continue;
    block.push(payload);
    if ((flags & 4) === 0) continue;
    const bytes = Buffer.concat(block);
    block = [];
    const fields: [string, string][] = [];
    try {
      decoder.decode(bytes, 0, bytes.length, { field: (name, value) => fields.push([name, value]) });
    } catch (error) {
      assert.ok(error instanceof HpackError);
      assert.fail('headers that can’t be decoded');
    }
    const status = fields.find(([name]) => name === ':status')?.[1];
    const rest = fields
      .filter(([name]) => !ofOneAnswer.has(name))
      .map(([name, value]) => `${name}: ${value}`)
      .sort();
    if (status === undefined) outcome.trailers = rest;
    else {
      outcome.status = status;
      outcome.headers = rest;
    }
  }
  return streams;
}

/** They are others for each answer. */
const ofOneAnswer: ReadonlySet<string> = new Set([':status', 'date', 'x-request-id']);

/** What both must have in common. */
function comparable({ connection, streams }: Ending, { answered, cancelled }: Conversation) {
  // Where the connection ends, it is chance which answers were out before.
  if (connection !== 'open') return { connection };
  const shown: Record<number, unknown> = {};
  for (const stream of [...answered, 1 + 2 * answered.length]) {
    if (!cancelled.has(stream)) shown[stream] = streams.get(stream);
  }
  return { connection, streams: shown };
}

/** What became of the fault, as `differences` says it. */
function inWords({ connection, streams }: Ending, { answered }: Conversation): string {
  if (connection !== 'open') return `GOAWAY ${connection}`;
  const outcome = streams.get(1 + 2 * answered.length);
  if (outcome === undefined) return 'nothing';
  return outcome.status === '' ? `reset ${outcome.resetCode}` : outcome.status;
}

async function compare(conversation: Conversation, own: Serving, node: Serving): Promise<void> {
  const [ours, theirs] = await Promise.all([converse(own, conversation), converse(node, conversation)]);
  const known = differences[conversation.fault];
  if (known === undefined) {
    const expected = comparable(theirs, conversation);
    return assert.deepEqual(comparable(ours, conversation), expected, conversation.fault);
  }
  const words = { own: inWords(ours, conversation), node: inWords(theirs, conversation) };
  assert.deepEqual(words, { own: known.own, node: known.node }, conversation.fault);
}

// Faults are not to end a connection by their number.
const limits = { goawayTimeoutMs: 1_000, maxConnectionsPerClient: 4_000, maxPingStrikes: 100 };

it('the same bytes', async (t) => {
  const node = await serve(t, echoService(new Map()), { http2Engine: 'node', limits });
  // In a test of its own, each server finds whether something of it is left.
  await t.test(`in ${count} conversations have the same outcome with both engines`, async (inner) => {
    const own = await serve(inner, echoService(new Map()), { http2Engine: 'own', limits });
    await fc.assert(
      fc.asyncProperty(
        fc.array(conversations, { minLength: together, maxLength: together }),
        async (several) => {
          await Promise.all(several.map((it) => compare(it, own, node)));
        },
      ),
      {
        numRuns: Math.ceil(count / together),
        interruptAfterTimeLimit: 600_000,
        markInterruptAsFailure: true,
      },
    );
  });
});
