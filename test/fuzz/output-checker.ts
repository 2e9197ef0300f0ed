import { HpackDecoder } from '../../functions/rpc/http2/hpack/decoder.ts';

/** What a client has sent that its server has to keep to. */
interface StreamState {
  /** What the client takes, and what it has granted so far. */
  window: number;
  sentBytes: number;
  phase: 'idle' | 'headers' | 'ended' | 'reset';
  /** DATA that the client has sent, and what of it was granted anew. */
  receivedBytes: number;
  grantedBytes: number;
}

/**
 * Reads what a server sends as a strict client would (RFC 9113), and says what is wrong with it. It is written from the
 * RFC and shares nothing with the engine but the decoder of header blocks, which has tests of its own.
 */
export class OutputChecker {
  /** What is wrong, in words. */
  readonly faults: string[] = [];
  /** The codes of GOAWAYs, in order. */
  readonly goaways: number[] = [];
  /** The codes of resets, by stream. */
  readonly resets = new Map<number, number>();
  /** Streams that have ended with END_STREAM. */
  readonly ended = new Set<number>();
  connectionReceived = 0;
  connectionGranted = 0;
  readonly #streams = new Map<number, StreamState>();
  readonly #decoder = new HpackDecoder(4096);
  #rest: Buffer = Buffer.alloc(0);
  #sentRest: Buffer = Buffer.alloc(0);
  #isPartCounted = false;
  #frames = 0;
  #connectionWindow = 65_535;
  #maxFrameBytes = 16_384;
  #initialWindow = 65_535;
  /** Settings that the server has not acknowledged. */
  readonly #unacknowledged: { initialWindow: number | undefined; maxFrameBytes: number | undefined }[] = [];
  readonly #pings: string[] = [];
  #block: { stream: number; flags: number; parts: Buffer[] } | undefined;
  #highestStream = 0;
  #lastStreamId = 2 ** 31 - 1;
  readonly #initialGrant: number;

  /** @param initialGrant by how much the server may open the connection's window at first */
  constructor(initialGrant: number) {
    this.#initialGrant = initialGrant;
  }

  /** The client sends bytes, the preface not included. */
  sentBytes(bytes: Buffer): void {
    this.#sentRest = Buffer.concat([this.#sentRest, bytes]);
    while (this.#sentRest.length >= 9) {
      const end = 9 + this.#sentRest.readUIntBE(0, 3);
      const [type = 0, flags = 0] = this.#sentRest.subarray(3, 5);
      const stream = this.#sentRest.readUInt32BE(5) & 0x7fffffff;
      // Of DATA, the server may read a part.
      if (type === 0 && this.#sentRest.length < end && !this.#isPartCounted) {
        this.#isPartCounted = true;
        this.#sent(type, flags, stream, Buffer.alloc(end - 9));
      }
      if (this.#sentRest.length < end) return;
      if (!this.#isPartCounted) this.#sent(type, flags, stream, this.#sentRest.subarray(9, end));
      this.#isPartCounted = false;
      this.#sentRest = this.#sentRest.subarray(end);
    }
  }

  #sent(type: number, flags: number, stream: number, payload: Buffer): void {
    if (type === 0) {
      this.connectionReceived += payload.length;
      this.#of(stream).receivedBytes += payload.length;
    } else if (type === 1) {
      this.#highestStream = Math.max(this.#highestStream, stream);
      this.#of(stream);
    } else if (type === 4 && (flags & 1) === 0) {
      const settings: { initialWindow: number | undefined; maxFrameBytes: number | undefined } = {
        initialWindow: undefined,
        maxFrameBytes: undefined,
      };
      for (let at = 0; at + 6 <= payload.length; at += 6) {
        const value = payload.readUInt32BE(at + 2);
        if (payload.readUInt16BE(at) === 4) settings.initialWindow = value;
        if (payload.readUInt16BE(at) === 5) settings.maxFrameBytes = value;
      }
      this.#unacknowledged.push(settings);
    } else if (type === 6 && (flags & 1) === 0) {
      this.#pings.push(payload.toString('hex'));
    } else if (type === 8 && payload.length === 4) {
      const more = payload.readUInt32BE() & 0x7fffffff;
      if (stream === 0) this.#connectionWindow += more;
      else this.#of(stream).window += more;
    }
  }

  /** The server has sent bytes. */
  received(bytes: Buffer): void {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    while (this.#rest.length >= 9) {
      const length = this.#rest.readUIntBE(0, 3);
      if (length > this.#maxFrameBytes) this.#fault(`a frame of ${length} bytes`);
      if (this.#rest.length < 9 + length) return;
      const [type = 0, flags = 0] = this.#rest.subarray(3, 5);
      const stream = this.#rest.readUInt32BE(5);
      const payload = this.#rest.subarray(9, 9 + length);
      this.#rest = this.#rest.subarray(9 + length);
      this.#frame(type, flags, stream, payload);
      this.#frames += 1;
    }
  }

  /** Nothing follows. */
  end(): void {
    if (this.#rest.length > 0) this.#fault(`${this.#rest.length} bytes of a frame at the end`);
    if (this.#block !== undefined) this.#fault('a header block without an end');
  }

  #fault(what: string): void {
    if (this.faults.length < 10) this.faults.push(`frame ${this.#frames} of the server: ${what}`);
  }

  #of(stream: number): StreamState {
    let state = this.#streams.get(stream);
    if (state === undefined) {
      state = {
        window: this.#initialWindow,
        sentBytes: 0,
        phase: 'idle',
        receivedBytes: 0,
        grantedBytes: 0,
      };
      this.#streams.set(stream, state);
    }
    return state;
  }

  #frame(type: number, flags: number, stream: number, payload: Buffer): void {
    if (this.#frames === 0 && (type !== 4 || (flags & 1) !== 0)) this.#fault('the first is no SETTINGS');
    if (stream > 0x7fffffff) this.#fault('the reserved bit is set');
    if (this.#block !== undefined && (type !== 9 || stream !== this.#block.stream)) {
      this.#fault('a header block is interrupted');
    }
    if ((this.goaways.at(-1) ?? 0) > 0) this.#fault(`type ${type} after the GOAWAY of an error`);
    const isOfConnection = type === 4 || type === 6 || type === 7;
    if (isOfConnection !== (stream === 0) && type !== 8) this.#fault(`type ${type} of stream ${stream}`);
    if (stream > 0 && (stream % 2 === 0 || stream > this.#highestStream)) {
      this.#fault(`type ${type} of stream ${stream}, which nobody has opened`);
    }
    switch (type) {
      case 0:
        return this.#data(flags, stream, payload);
      case 1:
        if ((flags & ~5) !== 0) this.#fault(`HEADERS with flags ${flags}`);
        this.#block = { stream, flags, parts: [payload] };
        if ((flags & 4) !== 0) this.#headers();
        return;
      case 3:
        return this.#reset(stream, payload);
      case 4:
        return this.#settings(flags, payload);
      case 6:
        if (payload.length !== 8) this.#fault('PING of another size');
        if ((flags & 1) !== 0 && this.#pings.shift() !== payload.toString('hex')) {
          this.#fault('an answer to no PING, or another');
        }
        return;
      case 7:
        return this.#goaway(payload);
      case 8:
        return this.#windowUpdate(stream, payload);
      case 9:
        if (this.#block === undefined) return this.#fault('CONTINUATION of nothing');
        if ((flags & ~4) !== 0) this.#fault(`CONTINUATION with flags ${flags}`);
        this.#block.parts.push(payload);
        if ((flags & 4) !== 0) this.#headers();
        return;
      default:
        this.#fault(`type ${type}`);
    }
  }

  #data(flags: number, stream: number, payload: Buffer): void {
    const state = this.#of(stream);
    if (state.phase !== 'headers') this.#fault(`DATA of stream ${stream}, which is ${state.phase}`);
    if ((flags & ~1) !== 0) this.#fault(`DATA with flags ${flags}`);
    state.sentBytes += payload.length;
    state.window -= payload.length;
    this.#connectionWindow -= payload.length;
    if (payload.length > 0 && state.window < 0) this.#fault(`DATA beyond the window of stream ${stream}`);
    if (payload.length > 0 && this.#connectionWindow < 0) this.#fault('DATA beyond the window');
    if ((flags & 1) !== 0) this.#end(stream, state);
  }

  #headers(): void {
    const block = this.#block;
    this.#block = undefined;
    if (block === undefined) return;
    const state = this.#of(block.stream);
    const names: string[] = [];
    let status = '';
    try {
      const bytes = Buffer.concat(block.parts);
      this.#decoder.decode(bytes, 0, bytes.length, {
        field(name, value) {
          names.push(name);
          if (name === ':status') status = value;
        },
      });
    } catch (error) {
      this.#fault(`a header block that is none: ${error}`);
    }
    const isLast = (block.flags & 1) !== 0;
    if (state.phase === 'idle') {
      if (names[0] !== ':status' || names.lastIndexOf(':status') !== 0)
        this.#fault('a response has no status');
      if (status.startsWith('1')) {
        if (isLast) this.#fault('an interim response ends the stream');
      } else state.phase = 'headers';
    } else if (state.phase === 'headers') {
      if (!isLast) this.#fault('trailers that are not the end');
      if (names.some((name) => name.startsWith(':'))) this.#fault('trailers with a pseudo header');
    } else this.#fault(`HEADERS of stream ${block.stream}, which is ${state.phase}`);
    if (isLast) this.#end(block.stream, state);
  }

  #end(stream: number, state: StreamState): void {
    if (state.phase === 'headers') state.phase = 'ended';
    this.ended.add(stream);
  }

  #reset(stream: number, payload: Buffer): void {
    if (payload.length !== 4) return this.#fault('RST_STREAM of another size');
    const state = this.#of(stream);
    const code = payload.readUInt32BE();
    // STREAM_CLOSED: the client has sent more on a stream that it had ended itself (section 5.1).
    if (state.phase === 'reset' && code !== 5) this.#fault(`stream ${stream} is reset twice`);
    state.phase = 'reset';
    this.resets.set(stream, code);
  }

  #settings(flags: number, payload: Buffer): void {
    if ((flags & 1) === 0) {
      if (payload.length % 6 !== 0) this.#fault('half a setting');
      return;
    }
    if (payload.length > 0) this.#fault('an acknowledgement that is not empty');
    const acknowledged = this.#unacknowledged.shift();
    if (acknowledged === undefined) return this.#fault('an acknowledgement of nothing');
    const { initialWindow, maxFrameBytes } = acknowledged;
    if (maxFrameBytes !== undefined) this.#maxFrameBytes = maxFrameBytes;
    if (initialWindow === undefined) return;
    // Section 6.9.2: of all streams, the sizes of windows change by the difference.
    for (const state of this.#streams.values()) state.window += initialWindow - this.#initialWindow;
    this.#initialWindow = initialWindow;
  }

  #goaway(payload: Buffer): void {
    if (payload.length < 8) return this.#fault('GOAWAY is too short');
    const last = payload.readUInt32BE();
    if (last > this.#lastStreamId) this.#fault('the last stream of GOAWAY grows');
    if (last !== 2 ** 31 - 1 && last > this.#highestStream)
      this.#fault('GOAWAY names a stream that never was');
    this.#lastStreamId = last;
    this.goaways.push(payload.readUInt32BE(4));
  }

  #windowUpdate(stream: number, payload: Buffer): void {
    const more = payload.length === 4 ? payload.readUInt32BE() : 0;
    if (more === 0 || more > 0x7fffffff) return this.#fault('WINDOW_UPDATE by nothing');
    if (stream === 0) {
      this.connectionGranted += more;
      if (this.connectionGranted > this.connectionReceived + this.#initialGrant) {
        this.#fault('the connection’s window grows beyond its size');
      }
      return;
    }
    const state = this.#of(stream);
    if (state.phase === 'reset') this.#fault(`WINDOW_UPDATE of stream ${stream}, which is reset`);
    state.grantedBytes += more;
    if (state.grantedBytes > state.receivedBytes) this.#fault(`the window of stream ${stream} grows`);
  }
}
