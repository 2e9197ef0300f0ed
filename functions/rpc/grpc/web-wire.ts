import type { ConnectError } from '@connectrpc/connect';
import { metadataOf } from '../call/metadata.ts';
import { requestIdHeader } from '../call/request-id.ts';
import type { SentMetadata, Wire } from '../call/wire.ts';
import type { Exchange } from '../http/exchange.ts';
import { type Compressions, gzipEncoding } from '../message/compression.ts';
import { encodeFrame } from '../message/frame.ts';
import { grpcCompressions } from './grpc-wire.ts';
import { errorTrailers, successTrailers } from './status-trailers.ts';
import { TextExchange } from './text-exchange.ts';
import { parseGrpcTimeoutMs } from './timeout.ts';

const webContentType = /^application\/grpc-web(-text)?(?:\+(?:proto|(json)))?[ \t]*(?:;.*)?$/i;

/** The flag of the frame that holds the trailers. */
const trailerFlag = 0x80;

/** gRPC-Web, binary or as text, if the request is that. */
export function grpcWebWire(exchange: Exchange): WebWire | undefined {
  const contentType = exchange.headers['content-type'];
  if (contentType === undefined || exchange.method !== 'POST') return undefined;
  const match = webContentType.exec(contentType);
  if (match === null) return undefined;
  const isText = match[1] !== undefined;
  return new WebWire(isText ? new TextExchange(exchange) : exchange, match[2] === undefined, isText);
}

/**
 * gRPC without HTTP/2's trailers: they are the last frame of the body.
 * Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md
 */
class WebWire implements Wire {
  readonly protocol = 'grpc-web';
  readonly isFramed = true;
  readonly urlMessage = undefined;
  readonly exchange: Exchange;
  readonly isBinary: boolean;
  readonly askedMs: number | undefined;
  readonly compressions: Compressions;
  readonly #contentType: string;
  #isBegun = false;

  constructor(exchange: Exchange, isBinary: boolean, isText: boolean) {
    this.exchange = exchange;
    this.isBinary = isBinary;
    this.askedMs = parseGrpcTimeoutMs(exchange.headers['grpc-timeout']);
    this.compressions = grpcCompressions(exchange);
    this.#contentType = `application/grpc-web${isText ? '-text' : ''}+${isBinary ? 'proto' : 'json'}`;
  }

  get refusal(): ConnectError | undefined {
    return this.compressions.error;
  }

  begin(requestId: string, { sentHeader }: SentMetadata, isCompressed: boolean): void {
    if (this.#isBegun) return;
    const headers = [':status', '200', 'content-type', this.#contentType, requestIdHeader, requestId];
    if (isCompressed) headers.push('grpc-encoding', gzipEncoding);
    if (sentHeader !== undefined) headers.push(...metadataOf(sentHeader).flat());
    this.exchange.sendHeaders(headers, false);
    this.#isBegun = true;
  }

  succeed(
    requestId: string,
    last: Uint8Array | undefined,
    metadata: SentMetadata,
    isCompressed: boolean,
  ): void {
    this.begin(requestId, metadata, isCompressed);
    this.#end(last, successTrailers(metadata.sentTrailer));
  }

  fail(requestId: string, error: ConnectError, metadata: SentMetadata): void {
    const accepted = error === this.refusal ? [['grpc-accept-encoding', gzipEncoding] as const] : [];
    const trailers = [...errorTrailers(error, metadata.sentTrailer), ...accepted];
    this.begin(requestId, metadata, false);
    this.#end(undefined, trailers);
  }

  #end(last: Uint8Array | undefined, trailers: readonly (readonly [string, string])[]): void {
    const text = trailers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    const frame = encodeFrame(trailerFlag, Buffer.from(text));
    this.exchange.end(last === undefined ? frame : Buffer.concat([last, frame]));
  }
}
