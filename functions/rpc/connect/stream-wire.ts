import type { ConnectError } from '@connectrpc/connect';
import { metadataOf } from '../call/metadata.ts';
import { requestIdHeader } from '../call/request-id.ts';
import { errorMetadata } from '../call/status.ts';
import type { SentMetadata, Wire } from '../call/wire.ts';
import type { Exchange } from '../http/exchange.ts';
import { type Compressions, gzipEncoding, negotiate } from '../message/compression.ts';
import { encodeFrame } from '../message/frame.ts';
import { errorJson } from './error-json.ts';
import { parseConnectTimeoutMs } from './timeout.ts';

const streamContentType = /^application\/connect\+(?:(json)|proto)[ \t]*(?:;.*)?$/i;

/** The flag of the frame that ends a stream. */
const endFlag = 2;

/** A stream of Connect, if the request is that. */
export function connectStreamWire(exchange: Exchange): StreamWire | undefined {
  const match = streamContentType.exec(exchange.headers['content-type'] ?? '');
  if (match === null || exchange.method !== 'POST') return undefined;
  return new StreamWire(exchange, match[1] === undefined);
}

/**
 * A call with a stream of messages in one direction or both; its last frame says how it ended, in JSON.
 * Source: https://connectrpc.com/docs/protocol#streaming-rpcs
 */
class StreamWire implements Wire {
  readonly protocol = 'connect';
  readonly isFramed = true;
  readonly urlMessage = undefined;
  readonly exchange: Exchange;
  readonly isBinary: boolean;
  readonly askedMs: number | undefined;
  readonly compressions: Compressions;
  #isBegun = false;

  constructor(exchange: Exchange, isBinary: boolean) {
    const { headers } = exchange;
    this.exchange = exchange;
    this.isBinary = isBinary;
    this.askedMs = parseConnectTimeoutMs(headers['connect-timeout-ms']);
    this.compressions = negotiate(
      headers['connect-content-encoding']?.toString(),
      headers['connect-accept-encoding']?.toString(),
    );
  }

  get refusal(): ConnectError | undefined {
    return this.compressions.error;
  }

  begin(requestId: string, { sentHeader }: SentMetadata, isCompressed: boolean): void {
    if (this.#isBegun) return;
    const contentType = `application/connect+${this.isBinary ? 'proto' : 'json'}`;
    const headers = [':status', '200', 'content-type', contentType, requestIdHeader, requestId];
    if (isCompressed) headers.push('connect-content-encoding', gzipEncoding);
    if (this.compressions.error !== undefined) headers.push('connect-accept-encoding', gzipEncoding);
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
    this.#end(last, undefined, new Headers(metadataOf(metadata.sentTrailer)));
  }

  fail(requestId: string, error: ConnectError, metadata: SentMetadata): void {
    this.begin(requestId, metadata, false);
    this.#end(undefined, error, errorMetadata(error, metadata.sentTrailer));
  }

  #end(last: Uint8Array | undefined, error: ConnectError | undefined, metadata: Headers): void {
    const entries = [...metadata].map(([name, value]) => [name, [value]] as const);
    const end = {
      ...(error === undefined ? {} : { error: errorJson(error) }),
      ...(entries.length === 0 ? {} : { metadata: Object.fromEntries(entries) }),
    };
    const frame = encodeFrame(endFlag, Buffer.from(JSON.stringify(end)));
    this.exchange.end(last === undefined ? frame : Buffer.concat([last, frame]));
  }
}
