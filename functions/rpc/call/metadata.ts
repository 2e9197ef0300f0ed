/**
 * Headers that are about the connection (RFC 9113 section 8.2.2), HTTP itself, or one of the protocols, in requests and
 * responses. What is left is metadata: clients and services choose it, `grpc-retry-pushback-ms` too (gRFC A6).
 */
const protocolHeader =
  /^(?::.*|connection|keep-alive|proxy-connection|transfer-encoding|upgrade|te|trailer|date|host|accept|accept-encoding|content-(?:type|length|encoding)|connect-.*|grpc-(?!tags-bin$|trace-bin$|retry-pushback-ms$).*|x-request-id)$/;

/** Names recur, so each is matched once. The map is bounded, since clients choose the names. */
const knownNames = new Map<string, boolean>();
const maxKnownNames = 1024;

/** Whether a header, its name in lower case, is the protocols' own. */
export function isProtocolHeader(name: string): boolean {
  const known = knownNames.get(name);
  if (known !== undefined) return known;
  const result = protocolHeader.test(name);
  if (knownNames.size < maxKnownNames) knownNames.set(name, result);
  return result;
}

/** The metadata that a service has set, in order, without the names that it can't set. */
export function metadataOf(headers: Headers | undefined): [name: string, value: string][] {
  return headers === undefined ? [] : [...headers].filter(([name]) => !isProtocolHeader(name));
}
