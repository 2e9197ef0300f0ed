import { Code } from '@connectrpc/connect';

/** How a status is coloured: well, refused for a reason of the caller's, or a fault. */
export type Tone = 'ok' | 'refused' | 'fault';

/** The name of a status as gRPC writes it, such as `DEADLINE_EXCEEDED`; `undefined` is OK. */
export function statusName(code: Code | undefined): string {
  if (code === undefined) return 'OK';
  // gRPC's own spelling has two L.
  if (code === Code.Canceled) return 'CANCELLED';
  return (Code[code] ?? `CODE_${code}`).replace(/(?<=[a-z])[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}

const faults = new Set([
  'UNKNOWN',
  'DEADLINE_EXCEEDED',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
]);

/** The tone of a status by its name. */
export function toneOf(status: string): Tone {
  if (status === 'OK') return 'ok';
  return faults.has(status) ? 'fault' : 'refused';
}
