/**
 * Headers that belong to a connection of HTTP/1.1: a request that has one is malformed, and no response may have one
 * (RFC 9113 section 8.2.2).
 */
export const connectionHeaders: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);
