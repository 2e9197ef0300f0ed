import type { IncomingHttpHeaders } from 'node:http2';
import { isIP } from 'node:net';
import { createContextKey, type HandlerContext } from '@connectrpc/connect';
import { callerOf } from '../auth/caller.ts';

/** Where a call keeps its client's address. */
export const clientKey = createContextKey('', { description: 'address of the client' });

/** The address of a call's client. Behind trusted proxies it is the one that they name. */
export function clientOf(context: Pick<HandlerContext, 'values'>): string {
  return context.values.get(clientKey);
}

/** By what shares of a call's work are counted: the id of its caller where that is known, else its client's address. */
export function shareOf(context: Pick<HandlerContext, 'values'>): string {
  return callerOf(context)?.id ?? clientOf(context);
}

/** Proxies add some 40 characters each; who sends more has no share of its own. */
const maxForwardedCharacters = 4_096;

/**
 * Reads the client's address from what trusted proxies say. Each adds the address that it saw at the right of
 * `x-forwarded-for`; what is further left, the client may have invented.
 * Source: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html
 *
 * @param trustedProxies how many proxies stand in front; with none, the header says nothing
 * @returns `undefined` if they say nothing: then the client is the address of the connection
 */
export function clientName(headers: IncomingHttpHeaders, trustedProxies: number): string | undefined {
  if (trustedProxies === 0) return undefined;
  const forwarded = headers['x-forwarded-for'];
  if (forwarded === undefined || forwarded.length > maxForwardedCharacters) return undefined;
  const address = String(forwarded).split(',').at(-trustedProxies)?.trim();
  return address !== undefined && isIP(address) > 0 ? address : undefined;
}
