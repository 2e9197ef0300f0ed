import { cors } from '@connectrpc/connect';
import { requestIdHeader } from '../call/request-id.ts';
import type { NodeRequest, NodeResponse } from './node-http.ts';

/** How long a browser may remember the answer to its preflight request. Chrome's own cap. */
const maxAgeSeconds = 7200;

/**
 * Lets browsers of the given origins call the server. Answers preflight requests (returns true then) and marks
 * the responses to the others. Source: https://connectrpc.com/docs/cors
 *
 * `origins`: such as `https://example.com`; `*` for any; empty: browsers are not let in.
 */
export function createCors(origins: readonly string[]): (req: NodeRequest, res: NodeResponse) => boolean {
  const allowed = new Set(origins);
  if (allowed.size === 0) return () => false;
  const exposed = [...cors.exposedHeaders, requestIdHeader].join(', ');
  const methods = cors.allowedMethods.join(', ');
  return (req, res) => {
    const { origin } = req.headers;
    res.setHeader('vary', 'Origin');
    if (origin === undefined || !(allowed.has(origin) || allowed.has('*'))) return false;
    res.setHeader('access-control-allow-origin', origin);
    res.setHeader('access-control-expose-headers', exposed);
    if (req.method !== 'OPTIONS' || req.headers['access-control-request-method'] === undefined) return false;
    res.setHeader('access-control-allow-methods', methods);
    // What the browser asks for: metadata has names that we can't know.
    const asked = req.headers['access-control-request-headers'];
    res.setHeader('access-control-allow-headers', asked ?? cors.allowedHeaders.join(', '));
    res.setHeader('access-control-max-age', String(maxAgeSeconds));
    res.statusCode = 204;
    res.end();
    return true;
  };
}
