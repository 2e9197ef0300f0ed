import type { OutgoingHttpHeaders } from 'node:http2';
import type { ConnectError } from '@connectrpc/connect';
import { metadataOf } from '../call/metadata.ts';
import { requestIdHeader } from '../call/request-id.ts';
import type { SentMetadata, Wire } from '../call/wire.ts';
import type { Exchange } from '../http/exchange.ts';
import { type Compressions, gzipEncoding, negotiate, noCompressions } from '../message/compression.ts';
import { errorTrailers, successTrailers } from './status-trailers.ts';
import { parseGrpcTimeoutMs } from './timeout.ts';

/**
 * The content types of gRPC with the message formats that we know, and perhaps parameters (RFC 9110 section 8.3.1).
 * Source: "Content-Type" in https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 */
const grpcContentType = /^application\/grpc(?:\+(proto|json))?[ \t]*(?:;.*)?$/i;

/**
 * Content type of gRPC that names no message format, which is then that of protobuf. An answer has the content type of
 * its request: proxies may know one alone, as CloudFront does by its documentation
 * (https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/distribution-using-grpc.html).
 */
export const plainType = 'application/grpc';
/** Content type of gRPC whose messages are protobuf, said in full. */
export const protoType = 'application/grpc+proto';
const jsonType = 'application/grpc+json';
type GrpcContentType = typeof plainType | typeof protoType | typeof jsonType;

/** gRPC, if the request is that. Over HTTP/1.1, which has no trailers for us, its wire can only fail. */
export function grpcWire(exchange: Exchange): GrpcWire | undefined {
  const contentType = exchange.headers['content-type'];
  if (contentType === undefined || exchange.method !== 'POST') return undefined;
  if (contentType === plainType) return new GrpcWire(exchange, plainType);
  if (contentType === protoType) return new GrpcWire(exchange, protoType);
  const match = grpcContentType.exec(contentType);
  if (match === null) return undefined;
  const format = match[1]?.toLowerCase();
  return new GrpcWire(exchange, format === undefined ? plainType : format === 'json' ? jsonType : protoType);
}

const okTrailers = { 'grpc-status': '0' };

/** Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md */
class GrpcWire implements Wire {
  readonly protocol = 'grpc';
  readonly isFramed = true;
  readonly urlMessage = undefined;
  readonly exchange: Exchange;
  readonly isBinary: boolean;
  readonly askedMs: number | undefined;
  readonly compressions: Compressions;
  readonly #contentType: GrpcContentType;
  #isBegun = false;

  constructor(exchange: Exchange, contentType: GrpcContentType) {
    const { headers } = exchange;
    this.exchange = exchange;
    this.isBinary = contentType !== jsonType;
    this.#contentType = contentType;
    this.askedMs = parseGrpcTimeoutMs(headers['grpc-timeout']);
    this.compressions = grpcCompressions(exchange);
  }

  get refusal(): ConnectError | undefined {
    return this.compressions.error;
  }

  begin(requestId: string, { sentHeader }: SentMetadata, isCompressed: boolean): void {
    if (this.#isBegun) return;
    this.exchange.sendHeaders(this.#headers(requestId, sentHeader, isCompressed), true);
    this.#isBegun = true;
  }

  succeed(
    requestId: string,
    last: Uint8Array | undefined,
    metadata: SentMetadata,
    isCompressed: boolean,
  ): void {
    this.begin(requestId, metadata, isCompressed);
    const { sentTrailer } = metadata;
    this.exchange.end(last, sentTrailer === undefined ? okTrailers : blockOf(successTrailers(sentTrailer)));
  }

  fail(requestId: string, error: ConnectError, metadata: SentMetadata): void {
    const accepted = error === this.refusal ? [['grpc-accept-encoding', gzipEncoding] as const] : [];
    const trailers = [...errorTrailers(error, metadata.sentTrailer), ...accepted];
    // Headers that the method has set must not turn into trailers, as they would in a Trailers-Only response.
    if (metadata.sentHeader !== undefined) this.begin(requestId, metadata, false);
    if (this.#isBegun) this.exchange.end(undefined, blockOf(trailers));
    else this.exchange.endWithHeaders([...this.#headers(requestId, undefined, false), ...trailers.flat()]);
  }

  failAtOnce(error: ConnectError): boolean {
    if (this.exchange.endAtOnce === undefined) return false;
    const trailers = errorTrailers(error, undefined);
    this.exchange.endAtOnce([':status', '200', 'content-type', this.#contentType, ...trailers.flat()]);
    return true;
  }

  #headers(requestId: string, sentHeader: Headers | undefined, isCompressed: boolean): string[] {
    const headers = [':status', '200', 'content-type', this.#contentType, requestIdHeader, requestId];
    if (isCompressed) headers.push('grpc-encoding', gzipEncoding);
    if (sentHeader !== undefined)
      for (const [name, value] of metadataOf(sentHeader)) headers.push(name, value);
    return headers;
  }
}

/** What a client of gRPC or gRPC-Web and this server agree on. */
export function grpcCompressions({ headers }: Exchange): Compressions {
  const encoding = headers['grpc-encoding'];
  const accepted = headers['grpc-accept-encoding'];
  if (encoding === undefined && accepted === undefined) return noCompressions;
  return negotiate(encoding?.toString(), accepted?.toString());
}

/** A block of trailers; a name that comes more than once (of `Headers`, only set-cookie) gets all its values. */
function blockOf(headers: Iterable<readonly [name: string, value: string]>): OutgoingHttpHeaders {
  const block: OutgoingHttpHeaders = {};
  for (const [name, value] of headers) {
    const before = block[name];
    block[name] = before === undefined ? value : [before, value].flat().map(String);
  }
  return block;
}
