import assert from 'node:assert/strict';
import net, { type Socket } from 'node:net';
import { beginning, type Http2Frame, http2Frame, http2FramesOf } from './http2-bytes.ts';
import { eventually } from './patience.ts';
import { closeBefore, type Serving } from './server.ts';

/** A client of HTTP/2 that sends the bytes it is told to, keeps to no rule, and keeps what it gets. */
export class RawHttp2 {
  readonly socket: Socket;
  isClosed = false;
  /** What ended the socket, if it was not its end. */
  error: Error | undefined;
  readonly #chunks: Buffer[] = [];
  #frames: Http2Frame[] | undefined;

  /** Connects, and sends what every client sends first, with these settings. */
  constructor(serving: Serving, settings?: Buffer) {
    this.socket = net.connect(serving.port, '127.0.0.1');
    closeBefore(serving, () => this.socket.destroy());
    this.socket
      .on('error', (error) => {
        this.error = error;
      })
      .on('close', () => {
        this.isClosed = true;
      })
      .on('data', (chunk) => {
        this.#chunks.push(chunk);
        this.#frames = undefined;
      });
    this.socket.write(beginning(settings));
  }

  send(...frames: Buffer[]): void {
    if (this.socket.writable) this.socket.write(Buffer.concat(frames));
  }

  /** What has come so far. */
  get frames(): Http2Frame[] {
    this.#frames ??= http2FramesOf(Buffer.concat(this.#chunks));
    return this.#frames;
  }

  /** The frames of a type, of a stream or of all. */
  of(type: number, stream?: number): Http2Frame[] {
    return this.frames.filter((it) => it.type === type && (stream === undefined || it.stream === stream));
  }

  /** The code of the last GOAWAY. */
  get goawayCode(): number | undefined {
    return this.of(7).at(-1)?.payload.readUInt32BE(4);
  }

  /** The code by which a stream was reset. */
  resetCode(stream: number): number | undefined {
    return this.of(3, stream)[0]?.payload.readUInt32BE();
  }

  /** Whether the server has ended a stream. */
  isOver(stream: number): boolean {
    return this.frames.some(
      (it) => it.stream === stream && (it.type === 3 || (it.type <= 1 && (it.flags & 1) === 1)),
    );
  }

  /** Waits until the server answers PING: all that was sent before it has arrived. */
  async settle(): Promise<void> {
    const answers = () => this.of(6).filter(({ flags }) => flags === 1).length;
    const count = answers();
    this.send(http2Frame(6, 0, 0, Buffer.alloc(8)));
    assert.ok(await eventually(() => this.isClosed || answers() > count), 'no answer to PING');
  }
}

/** One setting (RFC 9113 section 6.5.1). */
export function setting(id: number, value: number): Buffer {
  const bytes = Buffer.alloc(6);
  bytes.writeUInt16BE(id);
  bytes.writeUInt32BE(value, 2);
  return bytes;
}

/** The payload of RST_STREAM and WINDOW_UPDATE. */
export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
