/**
 * Reads a connect-timeout-ms header, in ms. `undefined` when there is none, `NaN` when it is malformed. More digits
 * than the protocol's ten, or a fraction, are taken, as for gRPC. Source: https://connectrpc.com/docs/protocol
 */
export function parseConnectTimeoutMs(header: string | string[] | undefined): number | undefined {
  if (header === undefined) return undefined;
  return typeof header === 'string' && /^\d{1,15}(?:\.\d{1,9})?$/.test(header) ? Number(header) : Number.NaN;
}
