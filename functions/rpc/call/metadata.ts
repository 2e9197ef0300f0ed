import type { OutgoingHttpHeaders } from 'node:http2';

/**
 * Headers that are about one connection (RFC 9113 section 8.2.2). They come along when a service passes on the
 * headers of another one, and node:http2 would throw.
 */
const ofConnection = /^(?:connection|keep-alive|proxy-connection|transfer-encoding|upgrade|te)$/;
/** Headers that are the protocol's own. */
const ofProtocol =
  /^(?:content-(?:type|length)|x-request-id|grpc-(?:status|message|status-details-bin|encoding|accept-encoding))$/;

/** Whether a header can be sent in a response over HTTP/2. */
export function isSendable(name: string): boolean {
  return !ofConnection.test(name);
}

/** The metadata that a service has set, in order, without what it can't set. */
export function metadataOf(headers: Headers | undefined): [name: string, value: string][] {
  return headers === undefined
    ? []
    : [...headers].filter(([name]) => isSendable(name) && !ofProtocol.test(name));
}

/** Adds to a block of headers; a name that comes more than once (of `Headers`, only set-cookie) gets all its values. */
export function appendTo(
  block: OutgoingHttpHeaders,
  headers: Iterable<[name: string, value: string]>,
): OutgoingHttpHeaders {
  for (const [name, value] of headers) {
    const before = block[name];
    block[name] = before === undefined ? value : [before, value].flat().map(String);
  }
  return block;
}
