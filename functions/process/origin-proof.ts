import { createHash, timingSafeEqual } from 'node:crypto';
import { type Gate, rpcError } from '../rpc/index.ts';

/** The header by which a proxy in front proves that a request has come through it: the name that `infra/` gives it. */
export const originProofHeader = 'x-origin-proof';

/**
 * The gate that refuses, with BESIDE_PROXY, what does not show the proof (ORIGIN_PROOF) in `x-origin-proof`. Calls from
 * within the process are let in. Only servers that are told a proof load this.
 */
export function originGate(proof: string): Gate {
  const expected = digest(proof);
  return ({ protocol, headers }) => {
    if (protocol === 'local') return undefined;
    const shown = headers[originProofHeader];
    // Digests have one length, so that a comparison tells nothing by its time.
    if (typeof shown === 'string' && timingSafeEqual(digest(shown), expected)) return undefined;
    throw rpcError('BESIDE_PROXY');
  };
}

const digest = (text: string) => createHash('sha256').update(text).digest();
