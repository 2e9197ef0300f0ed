import { hash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http2';
import { type Gate, rpcError } from '../rpc/index.ts';

/** The header by which a proxy in front proves that a request has come through it: the name that `infra/` gives it. */
export const originProofHeader = 'x-origin-proof';

/**
 * What a server does that is told a proof (ORIGIN_PROOF): it takes the client's address from proxies that show it, and
 * its gate refuses, with BESIDE_PROXY, what does not show it. Calls from within the process are let in. Only such
 * servers load this.
 */
export function originProof(proof: string): {
  isFromProxies(headers: IncomingHttpHeaders): boolean;
  gate: Gate;
} {
  const expected = digest(proof);
  const isFromProxies = (headers: IncomingHttpHeaders) => {
    const shown = headers[originProofHeader];
    // Digests have one length, so that a comparison tells nothing by its time.
    return typeof shown === 'string' && timingSafeEqual(digest(shown), expected);
  };
  const gate: Gate = ({ protocol, headers }) => {
    if (protocol !== 'local' && !isFromProxies(headers)) throw rpcError('BESIDE_PROXY');
    return undefined;
  };
  return { isFromProxies, gate };
}

const digest = (text: string) => hash('sha256', text, 'buffer');
