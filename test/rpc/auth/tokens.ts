import type { TestContext } from 'node:test';
import { type Caller, callerOf } from '../../../functions/rpc/auth/caller.ts';
import { jwtWay } from '../../../functions/rpc/auth/jwt.ts';
import type { JwtOptions } from '../../../functions/rpc/auth/load-jwt.ts';
import type { GateRequest, RpcLimits, Way } from '../../../functions/rpc/index.ts';
import { rpcLimits } from '../../../functions/rpc/limits.ts';
import { audience, type Issuer } from '../../support/issuer.ts';
import type { Serving, ServingOptions } from '../../support/server.ts';
import { serve } from '../echo.ts';
import { Echo } from '../gen/echo_pb.js';
import { requestOf } from './request.ts';

/** Options of a way in, with some limits, for tokens of an issuer. */
export type WayOptions = Partial<Omit<JwtOptions, 'limits'>> & { readonly limits?: Partial<RpcLimits> };

/** The way in for an issuer's tokens. */
export function wayOf(issuer: Issuer, options: WayOptions = {}): Way {
  const limits = { ...rpcLimits, ...options.limits };
  return jwtWay({ issuer: issuer.url, audience, ...options, limits });
}

/** Whose token it is, as the way says. */
export async function callerBy(way: Way, token: string, client = '192.0.2.1'): Promise<Caller | undefined> {
  return way.identify(requestWith(token, client));
}

/** What a gate gets of a call with a token. */
export function requestWith(token: string, client = '192.0.2.1'): GateRequest {
  const request = requestOf({ headers: { authorization: `Bearer ${token}` } });
  return { ...request, client, peer: `${client}:50000` };
}

/** Metadata with a token. */
export function withToken(token: string): { headers: Record<string, string> } {
  return { headers: { authorization: `Bearer ${token}` } };
}

/** Serves Echo to those who come by the way, with the scope `echo.call`. It answers with the caller's id. */
export function serveBy(t: TestContext, way: Way, limits?: ServingOptions['limits']): Promise<Serving> {
  const paths = Echo.methods.map(({ name }) => `/${Echo.typeName}/${name}`);
  const scopes = Object.fromEntries(paths.map((path) => [path, ['echo.call']]));
  return serve(
    t,
    { unary: (_, context) => ({ text: callerOf(context)?.id ?? 'nobody' }) },
    { auth: { scopes, ways: [way] }, ...(limits && { limits }) },
  );
}
