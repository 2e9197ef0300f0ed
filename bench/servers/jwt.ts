import { createPublicKey } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import { type GateRequest, loadJwtWay, rpcLimits, type Way } from '../../functions/rpc/index.ts';
import { audience, issuer, type Signer, signTokens } from '../tokens.ts';

/** More than there are calls at a time, so that none finds a token under way. */
const freshTokens = 1_000;

/** Lets callers in by tokens of the signer. */
export async function jwtPolicy(signer: Signer): Promise<Way> {
  return wayOf(signer, rpcLimits.maxRememberedJwts);
}

/** The same, as if each call came with a token that was never seen: the one that it comes with is not looked at. */
export async function freshJwtPolicy(signer: Signer): Promise<Way> {
  const way = await wayOf(signer, 1);
  const headers = signTokens(signer, freshTokens).map((token) => ({ authorization: `Bearer ${token}` }));
  let turn = 0;
  return {
    identify: ({ client }) => {
      turn = (turn + 1) % freshTokens;
      // All that the way looks at.
      return way.identify({ headers: headers[turn] ?? {}, client } as GateRequest);
    },
  };
}

async function wayOf({ algorithm, jwk }: Signer, maxRememberedJwts: number): Promise<Way> {
  const publicKey = createPublicKey({ key: { ...jwk, d: undefined }, format: 'jwk' });
  const key = { ...publicKey.export({ format: 'jwk' }), kid: 'bench', alg: algorithm };
  const server = http.createServer((_, response) => response.end(JSON.stringify({ keys: [key] })));
  server.listen(0, '127.0.0.1').unref();
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const limits = { ...rpcLimits, maxRememberedJwts };
  return loadJwtWay({ issuer, audience, jwksUrl: `http://127.0.0.1:${port}`, limits });
}
