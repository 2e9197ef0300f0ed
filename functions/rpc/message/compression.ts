import { promisify } from 'node:util';
import { gunzip, gzip, type ZlibOptions } from 'node:zlib';
import type { ConnectError } from '@connectrpc/connect';
import { rpcError } from '../errors.ts';

/** The compression that this server knows, on every protocol. */
export const gzipEncoding = 'gzip';

/** What a client and this server agree on for one call. */
export interface Compressions {
  /** Whether messages of the request may be compressed. */
  readonly request: boolean;
  /** Whether messages of the response are compressed, where they are large enough. */
  readonly response: boolean;
  /** The request is compressed in a way that is not known here. */
  readonly error: ConnectError | undefined;
}

/** For a client that says nothing of compression. */
export const noCompressions: Compressions = { request: false, response: false, error: undefined };

/** What a list of encodings may be long; a longer one is not read. */
const maxAcceptedCharacters = 1_024;

/**
 * Agrees with a client on compression.
 *
 * @param encoding how the request is compressed, if it is
 * @param accepted what the client takes, separated by commas; without it, what it sends
 * Source: https://github.com/grpc/grpc/blob/master/doc/compression.md
 */
export function negotiate(encoding: string | undefined, accepted: string | undefined): Compressions {
  const request = encoding === gzipEncoding;
  const error =
    request || encoding === undefined || encoding === 'identity'
      ? undefined
      : rpcError('UNKNOWN_COMPRESSION', `it must be ${gzipEncoding} or identity`);
  const response =
    accepted && accepted.length <= maxAcceptedCharacters
      ? accepted.split(',').some((it) => it.trim() === gzipEncoding)
      : request;
  return { request, response, error };
}

/** Compresses with gzip, beside the event loop. */
export function compress(bytes: Uint8Array): Promise<Buffer> {
  return promisify<Uint8Array, Buffer>(gzip)(bytes);
}

/** What a compressed message may become. */
export interface InflateLimits {
  readonly maxInflateRatio: number;
  readonly inflateFloorBytes: number;
}

/** The size of an empty message: header and trailer (RFC 1952 section 2.3). */
const minGzipBytes = 18;

/**
 * How many bytes a compressed message says that it becomes (RFC 1952 section 2.3.1: gzip's last four bytes).
 *
 * @throws BAD_COMPRESSION if it is no gzip; MESSAGE_TOO_LARGE above `maxBytes`; INFLATES_TOO_MUCH above both the ratio
 * and the floor
 */
export function inflatedBytes(bytes: Uint8Array, maxBytes: number, limits: InflateLimits): number {
  const { length } = bytes;
  if (length < minGzipBytes || bytes[0] !== 0x1f || bytes[1] !== 0x8b) throw rpcError('BAD_COMPRESSION');
  const view = new DataView(bytes.buffer, bytes.byteOffset, length);
  const inflated = view.getUint32(length - 4, true);
  if (inflated > maxBytes) throw messageTooLarge(inflated, maxBytes);
  if (inflated > Math.max(limits.inflateFloorBytes, limits.maxInflateRatio * length)) {
    throw rpcError(
      'INFLATES_TOO_MUCH',
      `${length} bytes to ${inflated}, at most ${limits.maxInflateRatio} to one`,
    );
  }
  return inflated;
}

/**
 * Inflates a message beside the event loop, to no more than it has said that it becomes.
 *
 * @throws BAD_COMPRESSION if it is no gzip, or becomes more
 */
export async function inflate(bytes: Uint8Array, inflated: number): Promise<Buffer> {
  try {
    return await promisify<Uint8Array, ZlibOptions, Buffer>(gunzip)(bytes, {
      maxOutputLength: Math.max(1, inflated),
    });
  } catch {
    throw rpcError('BAD_COMPRESSION');
  }
}

/** The error for a message beyond the limit, with both sizes. */
export function messageTooLarge(bytes: number, maxBytes: number): ConnectError {
  return rpcError('MESSAGE_TOO_LARGE', `${bytes} bytes, at most ${maxBytes}`);
}
