import { create } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { type ConnectError, encodeBinaryHeader } from '@connectrpc/connect';
import { metadataOf } from '../call/metadata.ts';
import { errorMetadata } from '../call/status.ts';
import { onceIfLasting } from '../errors.ts';
import { StatusSchema } from '../standard/gen/google/rpc/status_pb.js';

const okTrailers: readonly (readonly [string, string])[] = [['grpc-status', '0']];

/** The trailers of a call that went well. */
export function successTrailers(sent: Headers | undefined): readonly (readonly [string, string])[] {
  return sent === undefined ? okTrailers : [...okTrailers, ...metadataOf(sent)];
}

/** Each may take nine bytes when it is escaped, and a header block of more than 64 KiB would end the connection. */
const maxMessageCharacters = 2048;

type Trailers = readonly (readonly [name: string, value: string])[];

const trailersAlone = onceIfLasting((error) => makeTrailers(error, undefined));

/** The trailers of a failed call: status, message, details, and the metadata of the error. */
export function errorTrailers(error: ConnectError, sent: Headers | undefined): Trailers {
  return sent === undefined ? trailersAlone(error) : makeTrailers(error, sent);
}

function makeTrailers(error: ConnectError, sent: Headers | undefined): Trailers {
  const { code, rawMessage, details } = error;
  const message =
    rawMessage.length > maxMessageCharacters ? rawMessage.slice(0, maxMessageCharacters) : rawMessage;
  const trailers: [string, string][] = [
    ...errorMetadata(error, sent),
    ['grpc-status', String(code)],
    ['grpc-message', percentEncoded(message)],
  ];
  if (details.length > 0) {
    const packed = details.map((detail) =>
      'desc' in detail
        ? anyPack(detail.desc, create(detail.desc, detail.value))
        : { typeUrl: `type.googleapis.com/${detail.type}`, value: detail.value },
    );
    const status = create(StatusSchema, { code, message: rawMessage, details: packed });
    trailers.push(['grpc-status-details-bin', encodeBinaryHeader(status, StatusSchema)]);
  }
  return trailers;
}

/**
 * Escapes what can't stand in a header, and nothing else: some clients show the message as it comes.
 * Source: "Percent-Encoded" in https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 */
function percentEncoded(text: string): string {
  if (/^[ -$&-~]*$/.test(text)) return text;
  let encoded = '';
  for (const byte of Buffer.from(text)) {
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    encoded += isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}
