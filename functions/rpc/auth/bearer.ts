import type { IncomingHttpHeaders } from 'node:http2';

/** Longer ones are none: JWT of a few hundred scopes have 8 KiB. */
const maxTokenCharacters = 16 * 1024;
const scheme = /^bearer +/i;

/** The token of `authorization: Bearer TOKEN` (RFC 6750 section 2.1); `undefined` if there is none. */
export function bearerOf(headers: IncomingHttpHeaders): string | undefined {
  const { authorization } = headers;
  if (authorization === undefined || authorization.length > maxTokenCharacters) return undefined;
  const found = scheme.exec(authorization);
  if (found === null) return undefined;
  return authorization.slice(found[0].length).trim() || undefined;
}
