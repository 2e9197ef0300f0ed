import { hash } from 'node:crypto';
import type { HandlerContext } from '@connectrpc/connect';
import { callerOf } from '../rpc/index.ts';

/**
 * The id that a store knows a request by. A `request_id` belongs to its caller: another who sends the same one means
 * another request, and learns nothing of the first.
 *
 * @param requestId a UUID in lower case
 * @param callerId whose it is; `undefined` where nobody has to say who he is: they all share their ids
 */
export function scopedRequestId(requestId: string, callerId: string | undefined): string {
  if (callerId === undefined) return requestId;
  return hash('sha256', JSON.stringify(['users request id', callerId, requestId]), 'base64url');
}

/** The id that a store knows a request of a call by; `undefined` if it has none. */
export function requestIdOf(
  { requestId }: { readonly requestId: string },
  context: Pick<HandlerContext, 'values'>,
): string | undefined {
  return requestId === '' ? undefined : scopedRequestId(requestId.toLowerCase(), callerOf(context)?.id);
}
