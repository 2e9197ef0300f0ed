import { Code } from '@connectrpc/connect';
import type { LiveCall } from '../contract.ts';

/** How a status is coloured: well, failed for a reason that may be the caller's, or a fault of the server. */
export type Tone = 'ok' | 'failed' | 'fault';

/** The name of a status as gRPC writes it, such as `DEADLINE_EXCEEDED`; `undefined` is OK. */
export function statusName(code: Code | undefined): string {
  if (code === undefined) return 'OK';
  // gRPC's own spelling has two L.
  if (code === Code.Canceled) return 'CANCELLED';
  return (Code[code] ?? `CODE_${code}`).replace(/(?<=[a-z])[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}

/** The tone of a call that the server has seen: it says what is its fault. */
export function toneOf({ status, isFault }: Pick<LiveCall, 'status' | 'isFault'>): Tone {
  if (isFault) return 'fault';
  return status === 'OK' ? 'ok' : 'failed';
}

const faultCodes = new Set([Code.Unknown, Code.Internal, Code.Unavailable, Code.DataLoss]);

/** The tone of a call that the page has made, by its code alone. `undefined` is OK. */
export function toneOfCode(code: Code | undefined): Tone {
  if (code === undefined) return 'ok';
  return faultCodes.has(code) ? 'fault' : 'failed';
}
