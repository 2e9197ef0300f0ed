import { gzipSync } from 'node:zlib';
import { create, createRegistry, type MessageInitShape, toBinary, toJsonString } from '@bufbuild/protobuf';
import { contentTypeOf, frame } from '../../support/frames.ts';
import { nameOf, type Wire } from '../../support/transports.ts';
import { EchoRequestSchema, file_echo } from '../gen/echo_pb.js';
import type { RawCall } from './raw-call.ts';

/** What an Any of a request may hold. */
export const registry = createRegistry(file_echo);

const kinds = ['Unary', 'ServerStream', 'ClientStream', 'Bidi'] as const;
/** A method of Echo, one of each kind. */
export type Method = (typeof kinds)[number];
/** A request of Echo, as far as it is given. */
export type Request = MessageInitShape<typeof EchoRequestSchema>;

/** Whether the response of a method is a stream. */
export const isStream = (method: Method) => method === 'ServerStream' || method === 'Bidi';
/** Whether the method takes a stream of requests, and so is called before they are there. */
export const isCalledAtOnce = (method: Method) => method === 'ClientStream' || method === 'Bidi';

/** How a protocol writes deadlines. */
export interface Timeouts {
  readonly header: string;
  /** One that has passed before a method could do anything. */
  readonly tiny: string;
  /** Those that pass while a method hangs, and that don't pass. */
  readonly short: readonly string[];
  readonly ample: readonly string[];
  /** Those that the protocol has no room for, though they are clear. */
  readonly unusual: readonly string[];
  readonly malformed: readonly string[];
}

const grpcTimeouts: Timeouts = {
  header: 'grpc-timeout',
  tiny: '1m',
  short: ['50m', '50000u', '50000000n'],
  ample: ['1H', '99999999H', '10M', '60S', '60000m'],
  unusual: ['1500.5S', '100000000S'],
  malformed: ['100', 'S', '1s', '-1S', '1.S', '.5S', 'x', '1 S'],
};

const connectTimeouts: Timeouts = {
  header: 'connect-timeout-ms',
  tiny: '1',
  short: ['50', '0000000050'],
  ample: ['60000', '9999999999'],
  unusual: ['1500.5', '10000000000'],
  malformed: ['-1', '1.', '1s', '60000m', 'x', '1 0'],
};

/** A protocol over a version of HTTP, with messages in one format: writes what every table of calls needs. */
export class Dialect {
  readonly wire: Wire;
  /** Protobuf, else JSON. */
  readonly isBinary: boolean;

  constructor(wire: Wire, isBinary = true) {
    this.wire = wire;
    this.isBinary = isBinary;
  }

  /** For the titles of tests. */
  get name(): string {
    return `${nameOf(this.wire)} with ${this.isBinary ? 'protobuf' : 'JSON'}`;
  }

  /** The methods that this version of HTTP carries. */
  get methods(): readonly Method[] {
    return this.wire.http === '2' ? kinds : kinds.filter((it) => it !== 'Bidi');
  }

  get timeouts(): Timeouts {
    return this.wire.protocol === 'connect' ? connectTimeouts : grpcTimeouts;
  }

  /** The flag of the frame that ends a response, if the protocol has one: requests must not have it. */
  get endFlag(): number | undefined {
    return { grpc: undefined, 'grpc-web': 0x80, connect: 2 }[this.wire.protocol];
  }

  /** Whether messages of a method have a prefix each; else the body is the message. */
  isFramed(method: string): boolean {
    return this.wire.protocol !== 'connect' || /Stream$|^Bidi$/.test(method);
  }

  /** The content type of a method, in this format or another one. */
  contentType(method: string, isBinary = this.isBinary): string {
    const type = contentTypeOf(this.wire, !this.isFramed(method));
    return isBinary ? type : type.replace(/proto$/, 'json');
  }

  /** The header that says how a request is compressed. */
  encodingHeader(method: string): string {
    if (this.wire.protocol !== 'connect') return 'grpc-encoding';
    return this.isFramed(method) ? 'connect-content-encoding' : 'content-encoding';
  }

  /** The header that says how a response may be compressed. */
  acceptHeader(method: string): string {
    return this.encodingHeader(method)
      .replace('content-encoding', 'accept-encoding')
      .replace('grpc-e', 'grpc-accept-e');
  }

  /** A request as a message of its own. */
  payload(request: Request): Buffer {
    const message = create(EchoRequestSchema, request);
    if (this.isBinary) return Buffer.from(toBinary(EchoRequestSchema, message));
    return Buffer.from(toJsonString(EchoRequestSchema, message, { registry }));
  }

  /** Bytes as a message of the method: with its prefix, if it has one. */
  framed(method: string, payload: Uint8Array, flags = 0): Buffer {
    return this.isFramed(method) ? frame(payload, flags) : Buffer.from(payload);
  }

  /** A request as it is on the wire. */
  message(method: string, request: Request): Buffer {
    return this.framed(method, this.payload(request));
  }

  /** A call of a method, with whatever body. */
  raw(
    method: string,
    body: RawCall['body'],
    headers: RawCall['headers'] = {},
    rest: Partial<RawCall> = {},
  ): RawCall {
    const isGrpc = this.wire.protocol === 'grpc';
    return {
      path: `/test.echo.v1.Echo/${method}`,
      headers: {
        'content-type': this.contentType(method),
        ...(isGrpc ? { te: 'trailers' } : {}),
        ...headers,
      },
      body,
      ...rest,
    };
  }

  /** A call with one message, the usual one. */
  one(method: string, request: Request, headers?: RawCall['headers']): RawCall {
    return this.raw(method, [this.message(method, { count: 1, ...request })], headers);
  }

  /** A call with one message that is compressed, and announced as that. */
  compressed(
    method: string,
    payload: Uint8Array,
    headers: RawCall['headers'] = {},
    compress: (bytes: Uint8Array) => Uint8Array = gzipSync,
  ): RawCall {
    const body = this.framed(method, compress(payload), 1);
    return this.raw(method, [body], { [this.encodingHeader(method)]: 'gzip', ...headers });
  }
}
