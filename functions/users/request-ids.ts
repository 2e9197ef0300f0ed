import { hash } from 'node:crypto';

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
