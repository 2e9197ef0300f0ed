import type { Socket } from 'node:net';
import type { AttackRequest } from './attack.ts';

/** Types, flags and settings of frames: RFC 9113 sections 6 and 6.5.2. */
const type = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, windowUpdate: 8, continuation: 9 };
const flag = { ack: 1, endStream: 1, endHeaders: 4 };
const cancel = Buffer.of(0, 0, 0, 8); // RFC 9113 section 7
const setting = { enablePush: 2, initialWindowSize: 4 };

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
const headBytes = 9;
/** What every server takes until it says otherwise, which attackers need not know (RFC 9113 section 6.5.2). */
const maxFrameBytes = 16_384;
const defaultWindow = 65_535;
/** The first entry of the dynamic table (RFC 7541 section 2.3.3). */
const firstDynamicIndex = 62;

/** The window of who reads all that comes, for the streams and for the connection (RFC 9113 section 6.9.1). */
export const widestWindow = 2 ** 31 - 1;

/** A request whose body has not left yet. */
interface Upload {
  readonly stream: number;
  body: Uint8Array;
  window: number;
  readonly isEndless: boolean;
}

/**
 * An HTTP/2 client of frames alone, since a library would limit, pace and tidy up what it sends. It keeps to the
 * server's windows and answers SETTINGS and PING, but never gives the server more room than it had at first.
 */
export class Http2Peer {
  requests = 0;
  responses = 0;
  resets = 0;
  readonly #socket: Socket;
  readonly #uploads = new Map<number, Upload>();
  #nextStream = 1;
  #window = defaultWindow;
  #streamWindow = defaultWindow;
  /** The fields in the dynamic table, the oldest first. They must fit: 4,096 bytes, and none is ever dropped. */
  readonly #table: string[] = [];
  #received: Buffer = Buffer.alloc(0);

  /** `window`: how many bytes of each response the server may send. */
  constructor(socket: Socket, window: number) {
    this.#socket = socket;
    const settings = Buffer.alloc(12);
    settings.writeUInt16BE(setting.enablePush, 0);
    settings.writeUInt16BE(setting.initialWindowSize, 6);
    settings.writeUInt32BE(window, 8);
    socket.write(preface);
    this.#write(type.settings, 0, 0, settings);
    if (window > defaultWindow) {
      const increment = Buffer.alloc(4);
      increment.writeUInt32BE(window - defaultWindow);
      this.#write(type.windowUpdate, 0, 0, increment);
    }
    socket.on('data', (chunk) => this.#onData(chunk));
  }

  /** Opens a stream for a request, and sends as much of its body as the server has room for. */
  send(request: AttackRequest): void {
    const stream = this.#nextStream;
    this.#nextStream += 2;
    this.requests += 1;
    if (request.resetAfterMs !== undefined)
      setTimeout(() => this.#reset(stream), request.resetAfterMs).unref();
    const isEndless = request.isEndless ?? false;
    const isBodyless = request.body.length === 0 && !isEndless;
    let block: Buffer = this.#headerBlock(request);
    let frameType = type.headers;
    let flags = isBodyless ? flag.endStream : 0;
    while (block.length > maxFrameBytes) {
      this.#write(frameType, flags, stream, block.subarray(0, maxFrameBytes));
      block = block.subarray(maxFrameBytes);
      frameType = type.continuation;
      flags = 0;
    }
    this.#write(frameType, flags | flag.endHeaders, stream, block);
    if (isBodyless) return;
    const upload = { stream, body: request.body, window: this.#streamWindow, isEndless };
    this.#uploads.set(stream, upload);
    this.#pump(upload);
  }

  #pump(upload: Upload): void {
    while (upload.body.length > 0) {
      const size = Math.min(upload.body.length, maxFrameBytes, upload.window, this.#window);
      if (size <= 0) return;
      const isLast = size === upload.body.length && !upload.isEndless;
      this.#write(type.data, isLast ? flag.endStream : 0, upload.stream, upload.body.subarray(0, size));
      upload.body = upload.body.subarray(size);
      upload.window -= size;
      this.#window -= size;
    }
    this.#uploads.delete(upload.stream);
  }

  #reset(stream: number): void {
    this.#uploads.delete(stream);
    if (!this.#socket.destroyed) this.#write(type.reset, 0, stream, cancel);
  }

  #onData(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    this.#socket.cork();
    let at = 0;
    while (this.#received.length - at >= headBytes) {
      const end = at + headBytes + this.#received.readUIntBE(at, 3);
      if (end > this.#received.length) break;
      const frame = this.#received.subarray(at, end);
      this.#onFrame(frame[3], frame[4] ?? 0, frame.readUInt32BE(5), frame.subarray(headBytes));
      at = end;
    }
    this.#received = this.#received.subarray(at);
    this.#socket.uncork();
  }

  #onFrame(frameType: number | undefined, flags: number, stream: number, payload: Buffer): void {
    switch (frameType) {
      case type.headers:
      case type.data:
        if ((flags & flag.endStream) !== 0) this.responses += 1;
        break;
      case type.reset:
        this.resets += 1;
        this.#uploads.delete(stream);
        break;
      case type.ping:
        if ((flags & flag.ack) === 0) this.#write(type.ping, flag.ack, 0, payload);
        break;
      case type.settings:
        if ((flags & flag.ack) === 0) this.#onSettings(payload);
        break;
      case type.windowUpdate:
        this.#onWindowUpdate(stream, payload.readUInt32BE(0));
    }
  }

  #onSettings(settings: Buffer): void {
    for (let at = 0; at + 6 <= settings.length; at += 6) {
      if (settings.readUInt16BE(at) !== setting.initialWindowSize) continue;
      const window = settings.readUInt32BE(at + 2);
      for (const upload of this.#uploads.values()) upload.window += window - this.#streamWindow;
      this.#streamWindow = window;
    }
    this.#write(type.settings, flag.ack, 0, Buffer.alloc(0));
    for (const upload of this.#uploads.values()) this.#pump(upload);
  }

  #onWindowUpdate(stream: number, increment: number): void {
    if (stream === 0) {
      this.#window += increment;
      for (const upload of this.#uploads.values()) this.#pump(upload);
      return;
    }
    const upload = this.#uploads.get(stream);
    if (upload === undefined) return;
    upload.window += increment;
    this.#pump(upload);
  }

  #headerBlock({ method, path, headers, isIndexed, repeated }: AttackRequest): Buffer {
    const fields = { ':method': method, ':scheme': 'http', ':authority': '127.0.0.1', ':path': path };
    const parts = Object.entries({ ...fields, ...headers }).map(([name, value]) =>
      isIndexed ? this.#indexed(name, value) : literal(0x00, name, value),
    );
    for (let time = 0; time < (repeated?.times ?? 0); time += 1) {
      if (repeated !== undefined) parts.push(this.#indexed(repeated.name, repeated.value));
    }
    return Buffer.concat(parts);
  }

  /** One byte, unless it is the first time on this connection. The newest entry has the lowest index. */
  #indexed(name: string, value: string): Buffer {
    const field = `${name}: ${value}`;
    const place = this.#table.indexOf(field);
    if (place >= 0) return Buffer.of(0x80 | (firstDynamicIndex + this.#table.length - 1 - place));
    this.#table.push(field);
    return literal(0x40, name, value);
  }

  #write(frameType: number, flags: number, stream: number, payload: Uint8Array): void {
    const head = Buffer.alloc(headBytes);
    head.writeUIntBE(payload.length, 0, 3);
    head[3] = frameType;
    head[4] = flags;
    head.writeUInt32BE(stream, 5);
    this.#socket.write(Buffer.concat([head, payload]));
  }
}

/**
 * A header field with a new name, without Huffman code; 0x40 enters it into the dynamic table (RFC 7541 section 6.2).
 */
function literal(pattern: 0x00 | 0x40, name: string, value: string): Buffer {
  return Buffer.concat([Buffer.of(pattern), hpackString(name), hpackString(value)]);
}

function hpackString(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  return Buffer.concat([hpackInteger(bytes.length), bytes]);
}

/** With a prefix of 7 bits, of which the one before them is 0 (RFC 7541 section 5.1). */
function hpackInteger(value: number): Buffer {
  if (value < 127) return Buffer.of(value);
  const bytes = [127];
  let rest = value - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Buffer.of(...bytes, rest);
}
