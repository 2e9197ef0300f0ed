import type { IncomingHttpHeaders } from 'node:http2';
import { compressionNegotiate } from '@connectrpc/connect/protocol';
import { compressionGzip } from '@connectrpc/connect-node';

/** What this server compresses and decompresses with, on every protocol. */
export const acceptedCompressions = [compressionGzip];

/** The compression of the requests and of the responses of a call; null for none. */
export type Compressions = ReturnType<typeof compressionNegotiate>;

/** Agrees with a gRPC client on compression. Source: https://github.com/grpc/grpc/blob/master/doc/compression.md */
export function negotiate(headers: IncomingHttpHeaders): Compressions {
  return compressionNegotiate(
    acceptedCompressions,
    text(headers['grpc-encoding']),
    text(headers['grpc-accept-encoding']),
    'grpc-accept-encoding',
  );
}

function text(header: string | string[] | undefined): string | null {
  return header === undefined ? null : String(header);
}
