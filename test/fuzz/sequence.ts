import { http2Frame } from '../support/http2-bytes.ts';
import { Random } from './random.ts';

/** One thing that happens on a connection. */
export type Action =
  /** The client sends bytes; they arrive with the next turn, or in part before it. */
  | { readonly do: 'send'; readonly bytes: Buffer; readonly what: string }
  /** So many of the bytes that were sent arrive alone. */
  | { readonly do: 'part'; readonly bytes: number }
  | { readonly do: 'turn' }
  | { readonly do: 'wait'; readonly ms: number }
  /** The client reads nothing; it reads on. */
  | { readonly do: 'stall' }
  | { readonly do: 'unstall' }
  /** A handler goes on: it sends more, reads on, ends, or gives up. */
  | { readonly do: 'handler'; readonly place: number; readonly work: number }
  /** The server asks the client to go. */
  | { readonly do: 'dismiss' }
  | { readonly do: 'end' }
  /** The client ends its side. */
  | { readonly do: 'hangUp' };

/** What happens on a connection, in order, and whether a client may do all of it. */
export interface Sequence {
  readonly actions: readonly Action[];
  readonly isPolite: boolean;
  /** Whether calls of gRPC and Connect answer, or handlers that do anything at any time. */
  readonly app: 'calls' | 'handlers';
}

const handlerPaths = ['/echo', '/early', '/stream', '/pause', '/cut', '/hang', '/plain'] as const;
const callPaths = [
  '/test.echo.v1.Echo/Unary',
  '/test.echo.v1.Echo/ServerStream',
  '/test.echo.v1.Echo/ClientStream',
  '/test.echo.v1.Echo/Bidi',
  '/test.echo.v1.Echo/None',
  '/nothing',
] as const;

/** Messages of gRPC: empty; text "a", count 3; pad of 40,000 bytes; hang; and one that is none. */
const messages = [
  '0000000000',
  '00000000050a01611003',
  '000000000438c0b802',
  '00000000024001',
  '00000000021003',
  '00ffffffff',
  '0100000003616161',
].map((it) => Buffer.from(it, 'hex'));

/** The sequence of a seed. */
export function sequenceOf(seed: number): Sequence {
  const random = new Random(seed);
  const isPolite = random.chance(30);
  const app = random.chance(25) ? 'calls' : 'handlers';
  const client = new ClientMaker(random, app);
  const actions: Action[] = [];
  const send = (what: string, bytes: Buffer) => actions.push({ do: 'send', what, bytes });
  if (random.chance(97)) send('SETTINGS', client.settings(true));
  if (!isPolite && random.chance(90)) send('SETTINGS ack', http2Frame(4, 1, 0, Buffer.alloc(0)));
  const length = 2 + random.below(random.chance(10) ? 120 : 30);
  for (let count = 0; count < length; count++) {
    const kind = random.below(100);
    if (kind < 18) send('HEADERS', client.headers());
    else if (kind < 36) send('DATA', client.data());
    else if (kind < 40) send('trailers', client.trailers());
    else if (kind < 44) send('RST_STREAM', client.reset());
    else if (kind < 52) send('WINDOW_UPDATE', client.windowUpdate(isPolite));
    else if (kind < 55) send('SETTINGS', client.settings(isPolite));
    else if (kind < 57) send('PING', http2Frame(6, 0, 0, random.bytes(8)));
    else if (kind < 58) send('PRIORITY', http2Frame(2, 0, 1 + 2 * random.below(9), Buffer.of(0, 0, 0, 0, 9)));
    else if (kind < 59) send('an unknown frame', http2Frame(16, random.below(256), 0, random.bytes(9)));
    else if (kind < 76) actions.push({ do: 'turn' });
    else if (kind < 82) actions.push({ do: 'part', bytes: random.below(40) });
    else if (kind < 88) {
      actions.push({ do: 'handler', place: random.below(8), work: random.below(8) });
    } else if (kind < 90) actions.push({ do: 'wait', ms: random.pick([1, 60, 600, 2_100, 21_000] as const) });
    else if (kind < 92) actions.push(random.chance(50) ? { do: 'stall' } : { do: 'unstall' });
    else if (isPolite) actions.push({ do: 'turn' });
    else if (kind < 98) send('what is broken', client.broken());
    else actions.push({ do: random.pick(['dismiss', 'end', 'hangUp'] as const) });
  }
  return { actions, isPolite, app };
}

/** What a client sends. A polite one keeps to the windows that it has at first. */
class ClientMaker {
  readonly #random: Random;
  readonly #paths: readonly [string, ...string[]];
  readonly #isOfCalls: boolean;
  #nextStream = 1;
  /** Streams whose requests have not ended. */
  readonly #open: number[] = [];
  readonly #all: number[] = [];
  #connectionLeft = 65_535;
  readonly #left = new Map<number, number>();

  constructor(random: Random, app: Sequence['app']) {
    this.#random = random;
    this.#paths = app === 'calls' ? callPaths : handlerPaths;
    this.#isOfCalls = app === 'calls';
  }

  headers(): Buffer {
    const random = this.#random;
    const stream = this.#nextStream;
    this.#nextStream += 2 + (random.chance(5) ? 2 * random.below(5) : 0);
    const isLast = random.chance(40);
    if (!isLast) this.#open.push(stream);
    this.#all.push(stream);
    this.#left.set(stream, 65_535);
    const block = [
      Buffer.of(random.chance(95) ? 0x83 : 0x82, 0x86),
      literal(0x04, random.pick(this.#paths)),
      literal(random.chance(50) ? 0x41 : 0x01, 'a'),
    ];
    if (this.#isOfCalls) {
      block.push(
        literal(0x0f, random.pick(['application/grpc', 'application/proto', 'text/plain'] as const), 0x10),
      );
    }
    for (let count = random.below(4); count > 0; count--) {
      block.push(
        Buffer.concat([Buffer.of(random.pick([0x40, 0x00, 0x10] as const)), text('x-a'), text('b')]),
      );
    }
    return this.#block(stream, isLast ? 1 : 0, Buffer.concat(block));
  }

  data(): Buffer {
    const random = this.#random;
    const stream = this.#pickOpen();
    if (stream === undefined) return this.headers();
    const room = Math.min(this.#connectionLeft, this.#left.get(stream) ?? 0);
    const message = this.#isOfCalls && random.chance(80) ? random.pick(asPair(messages)) : undefined;
    const payload =
      message ?? random.bytes(random.pick([0, 1, 5, 300, random.below(2_000), random.below(16_000)]));
    const padding = random.chance(12) ? random.below(200) : undefined;
    const bytes =
      padding === undefined ? payload : Buffer.concat([Buffer.of(padding), payload, Buffer.alloc(padding)]);
    if (bytes.length > room) return this.reset();
    this.#connectionLeft -= bytes.length;
    this.#left.set(stream, (this.#left.get(stream) ?? 0) - bytes.length);
    const isLast = random.chance(30);
    if (isLast) this.#close(stream);
    return http2Frame(0, (isLast ? 1 : 0) | (padding === undefined ? 0 : 8), stream, bytes);
  }

  trailers(): Buffer {
    const stream = this.#pickOpen();
    if (stream === undefined) return this.headers();
    this.#close(stream);
    return this.#block(stream, 1, Buffer.concat([Buffer.of(0), text('x-t'), text('1')]));
  }

  reset(): Buffer {
    const stream = this.#all[this.#random.below(this.#all.length)];
    if (stream === undefined) return this.headers();
    this.#close(stream);
    return http2Frame(3, 0, stream, Buffer.of(0, 0, 0, 8));
  }

  windowUpdate(isPolite: boolean): Buffer {
    const random = this.#random;
    const stream = random.chance(40) ? 0 : (this.#all[random.below(this.#all.length)] ?? 0);
    const more = random.pick(isPolite ? [1, 10, 1_000, 70_000] : [0, 1, 10, 1_000, 70_000, 2 ** 31 - 1]);
    const payload = Buffer.alloc(4);
    payload.writeUInt32BE(more);
    return http2Frame(8, 0, stream, payload);
  }

  settings(isPolite: boolean): Buffer {
    const random = this.#random;
    const pairs: Buffer[] = [];
    const values: Record<number, readonly [number, ...number[]]> = {
      1: [0, 100, 4096, 65_536],
      2: isPolite ? [0, 1] : [0, 1, 2],
      3: [0, 1, 100],
      4: isPolite ? [0, 1, 100, 5_000, 65_535, 200_000] : [0, 1, 100, 65_535, 2 ** 31 - 1, 2 ** 31],
      5: isPolite ? [16_384, 20_000, 16_777_215] : [16_383, 16_384, 20_000, 16_777_215, 2 ** 24],
      6: [0, 100],
      99: [1],
    };
    for (let count = random.below(4); count > 0; count--) {
      const id = random.pick([1, 2, 3, 4, 4, 4, 5, 6, 99] as const);
      const pair = Buffer.alloc(6);
      pair.writeUInt16BE(id);
      pair.writeUInt32BE(random.pick(values[id] ?? [0]), 2);
      pairs.push(pair);
    }
    return http2Frame(4, 0, 0, Buffer.concat(pairs));
  }

  /** What no client may send. */
  broken(): Buffer {
    const random = this.#random;
    const stream = random.below(2 + this.#nextStream);
    switch (random.below(8)) {
      case 0:
        return http2Frame(random.below(11), random.below(256), stream, random.bytes(random.below(20)));
      case 1:
        return random.bytes(1 + random.below(60));
      case 2:
        return http2Frame(0, random.below(16), stream, random.bytes(random.below(200)));
      case 3:
        return http2Frame(1, random.below(64), stream, random.bytes(random.below(30)));
      case 4:
        return http2Frame(9, random.below(8), stream, random.bytes(random.below(30)));
      case 5: {
        // A length that it does not have, more than the table may have, a name in capitals.
        const wrong = random.pick([
          Buffer.concat([Buffer.of(0x0f, 0x0d), text('3')]),
          Buffer.of(0x3f, 0xff, 0xff, 0x01),
          Buffer.concat([Buffer.of(0), text('X-A'), text('b')]),
          Buffer.concat([Buffer.of(0), text('connection'), text('close')]),
          Buffer.concat([
            Buffer.of(0),
            text('x-long'),
            Buffer.from('7f819c01', 'hex'),
            Buffer.alloc(20_096, 97),
          ]),
        ]);
        const id = this.#nextStream;
        this.#nextStream += 2;
        this.#open.push(id);
        this.#all.push(id);
        this.#left.set(id, 65_535);
        const block = Buffer.concat([Buffer.of(0x83, 0x86), literal(0x04, random.pick(this.#paths)), wrong]);
        return this.#block(id, 0, block.subarray(0, 100_000));
      }
      case 6:
        return http2Frame(6, random.below(2), 0, random.bytes(random.pick([7, 8, 8, 9])));
      default:
        return http2Frame(7, 0, 0, random.bytes(random.pick([7, 8, 20])));
    }
  }

  /** A header block, in one frame or in several. */
  #block(stream: number, flags: number, block: Buffer): Buffer {
    const random = this.#random;
    const frames: Buffer[] = [];
    const firstBytes = random.chance(85) ? block.length : random.below(block.length);
    let at = Math.min(firstBytes, 16_000);
    let head = block.subarray(0, at);
    if (random.chance(8)) {
      flags |= 0x20;
      head = Buffer.concat([Buffer.of(0, 0, 0, 0, 16), head]);
    }
    if (random.chance(8)) {
      flags |= 8;
      const padding = random.below(100);
      head = Buffer.concat([Buffer.of(padding), head, Buffer.alloc(padding)]);
    }
    frames.push(http2Frame(1, flags | (at === block.length ? 4 : 0), stream, head));
    while (at < block.length) {
      const bytes = Math.min(16_384, 1 + random.below(block.length - at), block.length - at);
      const isRest = random.chance(50) && block.length - at <= 16_384;
      const part = block.subarray(at, isRest ? block.length : at + bytes);
      at += part.length;
      frames.push(http2Frame(9, at === block.length ? 4 : 0, stream, part));
      if (frames.length > 7) {
        if (at < block.length) frames.push(http2Frame(9, 4, stream, block.subarray(at, at + 16_384)));
        break;
      }
    }
    return Buffer.concat(frames);
  }

  #pickOpen(): number | undefined {
    return this.#open[this.#random.below(this.#open.length)];
  }

  #close(stream: number): void {
    const at = this.#open.indexOf(stream);
    if (at >= 0) this.#open.splice(at, 1);
  }
}

function text(it: string): Buffer {
  return Buffer.concat([Buffer.of(it.length), Buffer.from(it)]);
}

/** A field whose name is in the static table; names from 15 on take a second byte. */
function literal(first: number, value: string, second?: number): Buffer {
  return Buffer.concat([second === undefined ? Buffer.of(first) : Buffer.of(first, second), text(value)]);
}

function asPair<T>(items: readonly T[]): readonly [T, ...T[]] {
  const [first, ...rest] = items;
  if (first === undefined) throw new RangeError('there is none');
  return [first, ...rest];
}
