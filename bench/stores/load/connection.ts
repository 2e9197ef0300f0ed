import { once } from 'node:events';
import net from 'node:net';
import { flag, frameHeaderBytes, frameType, maxUint31 } from '../../../functions/rpc/http2/frame.ts';
import { HpackDecoder } from '../../../functions/rpc/http2/hpack/decoder.ts';
import { MessageCounter } from './message-counter.ts';

/** What a call waits for. */
interface Stream {
  readonly sentAtMs: number;
  readonly answer: MessageCounter;
  readonly ended: (tookMs: number, users: number) => void;
}

const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const nothing = Buffer.alloc(0);
/** SETTINGS_HEADER_TABLE_SIZE and SETTINGS_INITIAL_WINDOW_SIZE (RFC 9113 section 6.5.2). */
const settings = pairs([1, 0], [4, maxUint31]);
/** What a connection may be sent besides the 64 KiB that it begins with. */
const windowBytes = maxUint31 - 65_535;

/**
 * One connection of HTTP/2 to a server, which makes calls whose bodies differ: h2load can only repeat one. It is made
 * to cost little, and for servers that behave: it asks for windows that are never full, sends less than 64 KiB at a
 * time, and looks only at how many messages come.
 */
export class Connection {
  readonly #socket: net.Socket;
  readonly #streams = new Map<number, Stream>();
  readonly #failed: (error: Error) => void;
  /**
   * The headers of the first call, which put themselves into the server's table, and of the others, which refer to it.
   */
  readonly #firstHeaders: Buffer;
  readonly #headers: Buffer;
  readonly #decoder = new HpackDecoder(0);
  #nextId = 1;
  #rest: Buffer = nothing;
  #received = 0;
  #toSend: Buffer[] = [];

  private constructor(socket: net.Socket, headers: Headers, failed: (error: Error) => void) {
    this.#socket = socket;
    this.#failed = failed;
    this.#firstHeaders = Buffer.concat(headers.map(([name, value]) => literal(name, value)));
    // The newest entry has the index 62 (RFC 7541 section 2.3.3).
    this.#headers = Buffer.from(headers.map((_, at) => 0x80 | (61 + headers.length - at)));
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', failed);
    socket.on('close', () => this.#streams.size > 0 && failed(new Error('the server ended the connection')));
  }

  /**
   * @param headers those of each call, in their order
   * @param failed is told of what the connection can't go on with
   */
  static async open(port: number, headers: Headers, failed: (error: Error) => void): Promise<Connection> {
    const socket = net.connect(port, '127.0.0.1').setNoDelay();
    await once(socket, 'connect');
    const connection = new Connection(socket, headers, failed);
    const window = Buffer.alloc(4);
    window.writeUInt32BE(windowBytes);
    connection.#toSend.push(Buffer.from(preface), frame(frameType.settings, 0, 0, settings));
    connection.#toSend.push(frame(frameType.windowUpdate, 0, 0, window));
    connection.flush();
    return connection;
  }

  /** Makes a call with the next `flush`; `ended` is told how long it took, and how many users answered it. */
  call(body: Buffer, ended: Stream['ended']): void {
    const id = this.#nextId;
    this.#nextId += 2;
    this.#streams.set(id, { sentAtMs: performance.now(), answer: new MessageCounter(), ended });
    const headers = id === 1 ? this.#firstHeaders : this.#headers;
    this.#toSend.push(frame(frameType.headers, flag.endHeaders, id, headers));
    this.#toSend.push(frame(frameType.data, flag.endStream, id, body));
  }

  /** Sends what was called since the last time. */
  flush(): void {
    if (this.#toSend.length > 0) this.#socket.write(Buffer.concat(this.#toSend));
    this.#toSend = [];
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    const bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    let at = 0;
    while (bytes.length - at >= frameHeaderBytes) {
      const end = at + frameHeaderBytes + bytes.readUIntBE(at, 3);
      if (end > bytes.length) break;
      try {
        this.#frame(bytes, at, end);
      } catch (error) {
        this.#failed(error instanceof Error ? error : new Error(String(error)));
        return;
      }
      at = end;
    }
    this.#rest = at < bytes.length ? bytes.subarray(at) : nothing;
    this.flush();
  }

  #frame(bytes: Buffer, begin: number, end: number): void {
    const type = bytes[begin + 3];
    const flags = bytes[begin + 4] ?? 0;
    const id = bytes.readUInt32BE(begin + 5) & maxUint31;
    const at = begin + frameHeaderBytes;
    if (type === frameType.settings && !(flags & flag.ack))
      this.#toSend.push(frame(frameType.settings, flag.ack, 0, nothing));
    if (type === frameType.ping && !(flags & flag.ack))
      this.#toSend.push(frame(frameType.ping, flag.ack, 0, bytes.subarray(at, end)));
    if (type === frameType.resetStream) throw new Error(`stream ${id} was reset: ${bytes.readUInt32BE(at)}`);
    if (type === frameType.goaway) throw new Error(`GOAWAY: ${bytes.readUInt32BE(at + 4)}`);
    if (type !== frameType.data && type !== frameType.headers) return;
    if (flags & flag.padded) throw new Error('a padded frame');
    const stream = this.#streams.get(id);
    if (stream === undefined) throw new Error(`a frame of stream ${id}, which is over`);
    if (type === frameType.data) {
      stream.answer.take(bytes, at, end);
      this.#refill(end - at);
    }
    if (!(flags & flag.endStream)) return;
    this.#streams.delete(id);
    if (stream.answer.users === 0)
      throw new Error(`a call without an answer: ${this.#fields(bytes, at, end)}`);
    stream.ended(performance.now() - stream.sentAtMs, stream.answer.users);
  }

  #refill(bytes: number): void {
    this.#received += bytes;
    if (this.#received < windowBytes / 2) return;
    const window = Buffer.alloc(4);
    window.writeUInt32BE(this.#received);
    this.#received = 0;
    this.#toSend.push(frame(frameType.windowUpdate, 0, 0, window));
  }

  /** The headers of a call that failed: servers write each block without a table, so one can be read alone. */
  #fields(bytes: Buffer, at: number, end: number): string {
    const fields: string[] = [];
    this.#decoder.decode(bytes, at, end, { field: (name, value) => fields.push(`${name}: ${value}`) });
    return fields.join(', ');
  }
}

/** Names and values, in the order in which they are sent. */
export type Headers = readonly (readonly [name: string, value: string])[];

function frame(type: number, flags: number, id: number, payload: Buffer): Buffer {
  const result = Buffer.allocUnsafe(frameHeaderBytes + payload.length);
  result.writeUIntBE(payload.length, 0, 3);
  result[3] = type;
  result[4] = flags;
  result.writeUInt32BE(id, 5);
  payload.copy(result, frameHeaderBytes);
  return result;
}

/** A field that the server is to remember (RFC 7541 section 6.2.1), both texts without Huffman's code. */
function literal(name: string, value: string): Buffer {
  return Buffer.concat([
    Buffer.from([0x40, name.length]),
    Buffer.from(name),
    Buffer.from([value.length]),
    Buffer.from(value),
  ]);
}

function pairs(...values: readonly (readonly [number, number])[]): Buffer {
  const result = Buffer.alloc(6 * values.length);
  for (const [place, [name, value]] of values.entries()) {
    result.writeUInt16BE(name, 6 * place);
    result.writeUInt32BE(value, 6 * place + 2);
  }
  return result;
}
