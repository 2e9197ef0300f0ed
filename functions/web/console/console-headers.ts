import type { IncomingHttpHeaders } from 'node:http2';
import { Code, ConnectError } from '@connectrpc/connect';
import { connectCodeName } from '../../rpc/index.ts';

/** What the page may do: its own script and style, requests to its own server, and nothing else. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/**
 * The headers of all that the console answers, names and values in turn; those of an answer of its own come besides.
 */
export const consoleHeaders: readonly string[] = [
  ...['content-type', 'application/json'],
  ...['content-security-policy', policy],
  ...['x-content-type-options', 'nosniff'],
  ...['referrer-policy', 'no-referrer'],
  ...['cross-origin-opener-policy', 'same-origin'],
  ...['cross-origin-resource-policy', 'same-origin'],
  // A browser asks each time whether what it has is still right; the answer is 304 where it is.
  ...['cache-control', 'no-cache'],
];

/** An error in JSON. */
export function connectErrorText({ code, rawMessage: message }: ConnectError): string {
  return `${JSON.stringify({ code: connectCodeName(code), message })}\n`;
}

const foreignPage = 'the console answers its own page alone';

/**
 * Refuses what pages of other origins ask for, also of those that CORS_ORIGINS lets call: what callers do is not for
 * them.
 *
 * @throws PERMISSION_DENIED
 */
export function assertOwnPage(headers: IncomingHttpHeaders): void {
  const { 'sec-fetch-site': site, origin } = headers;
  const isForeign = site !== undefined && site !== 'same-origin' && site !== 'none';
  // Browsers leave out the former where the connection is not encrypted, and send no origin to their own.
  const host = headers[':authority'] ?? headers.host;
  if (isForeign || (origin !== undefined && URL.parse(origin)?.host !== host)) {
    throw new ConnectError(foreignPage, Code.PermissionDenied);
  }
}
