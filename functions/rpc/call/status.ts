import { Code, type ConnectError } from '@connectrpc/connect';
import { setTrailerStatus } from '@connectrpc/connect/protocol-grpc';
import { isSendable, metadataOf } from './metadata.ts';

/** The status of a call that went well: what `Code` of connect has no name for. */
export const ok = 0;

const names: readonly string[] = [
  'OK',
  ...Object.values(Code)
    .filter((it): it is string => typeof it === 'string')
    .map((name) => name.replace(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase()),
];

/** The name of a status as the gRPC documentation writes it, such as DEADLINE_EXCEEDED. */
export function statusName(code: number): string {
  return (code === Code.Canceled ? 'CANCELLED' : names[code]) ?? String(code);
}

/** Escaped, each takes up to nine bytes: more than 64 KiB in a header block would end the connection. */
const maxMessageCharacters = 2048;

/** The trailers of a failed call: status, message, details, and the metadata of the error. */
export function errorTrailers(error: ConnectError, trailer: Headers | undefined): Headers {
  const trailers = setTrailerStatus(new Headers(metadataOf(trailer)), error);
  if (error.rawMessage.length > maxMessageCharacters) {
    const cut = error.rawMessage.slice(0, maxMessageCharacters).toWellFormed();
    trailers.set('grpc-message', encodeURIComponent(cut));
  }
  for (const name of error.metadata.keys()) if (!isSendable(name)) trailers.delete(name);
  return trailers;
}
