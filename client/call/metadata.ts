import { Code, ConnectError, type Interceptor } from '@connectrpc/connect';
import { defaults } from '../defaults.ts';
import { CallError } from './call-error.ts';

/** What the constructor of Headers takes: pairs, an object, or Headers. Values of `-bin` keys are base64. */
export type Metadata = ConstructorParameters<typeof Headers>[0];

/** A bearer token, or where to get one: asked before every attempt, so that a token may expire. */
export type Token = string | (() => string | Promise<string>);

/** Keys that the protocols use themselves. */
const reserved = /^(grpc-|connect-|:|content-|te$|host$|connection$|transfer-encoding$|upgrade$)/;
/** What gRPC allows in a value (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests). */
const asciiValue = /^[\x20-\x7e]*$/;
/** Base64, with or without padding; several values with a comma between them. */
const binaryValue = /^[A-Za-z0-9+/]*={0,2}(, *[A-Za-z0-9+/]*={0,2})*$/;

/**
 * Metadata as headers, checked: connect would send what gRPC servers refuse, or what changes the call itself.
 *
 * @param inherited metadata that was checked before, and is added where there is none of that key
 * @throws CallError INVALID_ARGUMENT that names the key: for a key that is no header name or that the protocols
 * use, for a value that is not printable ASCII, and for a value of a `-bin` key that is not base64.
 * RESOURCE_EXHAUSTED, as the server says of it, if all together is too large.
 */
export function checkedMetadata(init: Metadata, inherited = new Headers()): Headers {
  const headers = new Headers();
  for (const [key, value] of metadataEntries(init)) {
    const name = key.toLowerCase();
    if (reserved.test(name)) throw refused(`metadata key "${key}" is used by the protocol itself`);
    if (!asciiValue.test(value)) {
      throw refused(
        `metadata value of "${key}" must be printable ASCII: use a key that ends in "-bin", with base64, for others`,
      );
    }
    if (name.endsWith('-bin') && !binaryValue.test(value)) {
      throw refused(`metadata value of "${key}" must be base64, as for every key that ends in "-bin"`);
    }
    try {
      headers.append(name, value);
    } catch {
      throw refused(`metadata key "${key}" may have letters, digits, "-", "_" and "." only`);
    }
  }
  for (const [name, value] of inherited) {
    if (!headers.has(name)) headers.set(name, value);
  }
  let bytes = 0;
  // As HTTP/2 counts (RFC 9113 section 10.5.1): every header has 32 bytes more.
  for (const [name, value] of headers) bytes += name.length + value.length + 32;
  if (bytes > defaults.maxMetadataBytes) {
    const message = `the metadata has ${bytes} bytes: more than ${defaults.maxMetadataBytes} are not sent`;
    throw refused(message, Code.ResourceExhausted);
  }
  return headers;
}

/** The keys and values of metadata, unchecked: Headers would refuse some values by itself, without saying which. */
export function metadataEntries(init: Metadata): Iterable<readonly [string, string]> {
  if (init === undefined) return [];
  if (Symbol.iterator in init) {
    return Array.from(init, ([key, value]): [string, string] => [String(key), String(value)]);
  }
  return Object.entries(init).map(([key, value]): [string, string] => [key, String(value)]);
}

/** Sends a bearer token with every attempt (RFC 6750), unless the call brings its own authorization. */
export function bearer(token: Token): Interceptor {
  return (next) => async (request) => {
    if (!request.header.has('authorization')) {
      // A file that it was read from may end in a line break.
      const value = (typeof token === 'string' ? token : await token()).trim();
      if (!/^[\x21-\x7e]+$/.test(value)) {
        throw new ConnectError(
          'the bearer token has characters that no token may have: give it alone, without "Bearer"',
          Code.Unauthenticated,
        );
      }
      request.header.set('authorization', `Bearer ${value}`);
    }
    return next(request);
  };
}

function refused(message: string, code = Code.InvalidArgument): CallError {
  return new CallError(new ConnectError(message, code), { neverSent: true });
}
