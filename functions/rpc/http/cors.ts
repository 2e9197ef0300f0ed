import { cors } from '@connectrpc/connect';
import { requestIdHeader } from '../call/request-id.ts';
import type { Exchange } from './exchange.ts';

/** How long a browser may remember the answer to its preflight request. Chrome's own cap. */
const maxAgeSeconds = 7200;

/** The response headers that pages may read: those that connect names, and the request id. */
const exposed = [...cors.exposedHeaders, requestIdHeader].join(', ');

/**
 * Lets pages of the given origins call the server. It answers preflight requests, and returns true then: before any
 * gate, since they carry no credentials. It marks the responses to all other requests. Source:
 * https://connectrpc.com/docs/cors
 *
 * `origins`: such as `https://example.com`; `*` for any; empty: no page may call.
 */
export function createCors(origins: readonly string[]): (exchange: Exchange) => boolean {
  const allowed = new Set(origins);
  if (allowed.size === 0) return () => false;
  return (exchange) => {
    const { headers, method } = exchange;
    const { origin } = headers;
    exchange.extraHeaders = ['vary', 'Origin'];
    if (origin === undefined || !(allowed.has(origin) || allowed.has('*'))) return false;
    const marks = ['access-control-allow-origin', origin, 'access-control-expose-headers', exposed];
    exchange.extraHeaders = ['vary', 'Origin', ...marks];
    if (method !== 'OPTIONS' || headers['access-control-request-method'] === undefined) return false;
    // What the browser asks for: metadata has names that we can't know.
    const asked = headers['access-control-request-headers'] ?? cors.allowedHeaders.join(', ');
    const permissions = [
      ...['access-control-allow-methods', cors.allowedMethods.join(', ')],
      ...['access-control-allow-headers', asked],
      ...['access-control-max-age', String(maxAgeSeconds)],
    ];
    exchange.receive({ received() {}, receivedAll() {}, broken() {}, drained() {}, closed() {} });
    exchange.sendHeaders([':status', '204', ...permissions], false);
    exchange.end(undefined);
    return true;
  };
}
