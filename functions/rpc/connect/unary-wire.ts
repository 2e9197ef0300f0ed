import type { ConnectError } from '@connectrpc/connect';
import { metadataOf } from '../call/metadata.ts';
import { requestIdHeader } from '../call/request-id.ts';
import { errorMetadata, httpStatusOf } from '../call/status.ts';
import type { SentMetadata, Wire } from '../call/wire.ts';
import { rpcError } from '../errors.ts';
import type { Exchange } from '../http/exchange.ts';
import { decodeBase64 } from '../message/base64.ts';
import { type Compressions, gzipEncoding, negotiate } from '../message/compression.ts';
import { errorJson } from './error-json.ts';
import { parseConnectTimeoutMs } from './timeout.ts';

const unaryContentType = /^application\/(?:(json)|proto)[ \t]*(?:;.*)?$/i;

/** A unary call of Connect by POST, if the request is that. */
export function connectUnaryWire(exchange: Exchange): UnaryWire | undefined {
  const match = unaryContentType.exec(exchange.headers['content-type'] ?? '');
  if (match === null || exchange.method !== 'POST') return undefined;
  return new UnaryWire(exchange, match[1] === undefined, exchange.headers['content-encoding']);
}

/**
 * A unary call of Connect by GET, with its message in the URL. Source:
 * https://connectrpc.com/docs/protocol#unary-get-request
 */
export function connectGetWire(exchange: Exchange): UnaryWire | undefined {
  const query = new URLSearchParams(exchange.url.slice(exchange.url.indexOf('?') + 1));
  const encoding = query.get('encoding');
  if (exchange.method !== 'GET' || (encoding !== 'json' && encoding !== 'proto')) return undefined;
  const compression = query.get('compression') ?? undefined;
  return new UnaryWire(exchange, encoding === 'proto', compression, query);
}

/**
 * A call with one message in each direction, bare in the bodies. Source:
 * https://connectrpc.com/docs/protocol#unary-rpcs
 */
class UnaryWire implements Wire {
  readonly protocol = 'connect';
  readonly isFramed = false;
  readonly exchange: Exchange;
  readonly isBinary: boolean;
  readonly askedMs: number | undefined;
  readonly compressions: Compressions;
  readonly #query: URLSearchParams | undefined;
  #isBegun = false;

  /** `query`: of a GET, with the message in it. */
  constructor(exchange: Exchange, isBinary: boolean, encoding: string | undefined, query?: URLSearchParams) {
    const { headers } = exchange;
    this.exchange = exchange;
    this.isBinary = isBinary;
    this.askedMs = parseConnectTimeoutMs(headers['connect-timeout-ms']);
    this.compressions = negotiate(encoding, headers['accept-encoding']?.toString());
    this.#query = query;
  }

  get refusal(): ConnectError | undefined {
    return this.compressions.error;
  }

  /** Decoded when it is asked for, which is after the gate. @throws BAD_MESSAGE */
  get urlMessage(): Uint8Array | undefined {
    if (this.#query === undefined) return undefined;
    const message = this.#query.get('message') ?? '';
    const bytes = this.#query.get('base64') === '1' ? decodeBase64(message) : Buffer.from(message);
    if (bytes === undefined) throw rpcError('BAD_MESSAGE');
    return bytes;
  }

  /** Headers, message and status leave together, unless the message is sent part by part. */
  begin(requestId: string, metadata: SentMetadata, isCompressed: boolean, bodyBytes?: number): void {
    if (this.#isBegun || bodyBytes === undefined) return;
    this.#isBegun = true;
    const headers = this.#headers('200', this.isBinary ? 'proto' : 'json', requestId, metadata);
    if (metadata.sentHeader !== undefined) headers.push(...metadataOf(metadata.sentHeader).flat());
    if (isCompressed) headers.push('content-encoding', gzipEncoding);
    headers.push('content-length', String(bodyBytes));
    this.exchange.sendHeaders(headers, false);
  }

  succeed(
    requestId: string,
    last: Uint8Array | undefined,
    metadata: SentMetadata,
    isCompressed: boolean,
  ): void {
    const body = last ?? new Uint8Array();
    this.begin(requestId, metadata, isCompressed, body.length);
    this.exchange.end(body);
  }

  fail(requestId: string, error: ConnectError, metadata: SentMetadata): void {
    // Nothing but the rest of the message can follow its length.
    if (this.#isBegun) return this.exchange.cut();
    const headers = this.#headers(String(httpStatusOf(error.code)), 'json', requestId, metadata);
    headers.push(...[...errorMetadata(error, metadata.sentHeader)].flat());
    if (error === this.compressions.error) headers.push('accept-encoding', gzipEncoding);
    const body = Buffer.from(JSON.stringify(errorJson(error)));
    headers.push('content-length', String(body.length));
    this.exchange.sendHeaders(headers, false);
    this.exchange.end(body);
  }

  #headers(status: string, format: string, requestId: string, { sentTrailer }: SentMetadata): string[] {
    const headers = [':status', status, 'content-type', `application/${format}`, requestIdHeader, requestId];
    if (sentTrailer === undefined) return headers;
    for (const [name, value] of metadataOf(sentTrailer)) headers.push(`trailer-${name}`, value);
    return headers;
  }
}
