const unitMs: Record<string, number> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/**
 * Reads a grpc-timeout header, in ms. `undefined` when there is none, `NaN` when it is malformed. More digits than the
 * protocol's eight, or a fraction, are taken: clients of connect-es send them, and what they mean is clear.
 * Source: "Timeout" in https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 */
export function parseGrpcTimeoutMs(header: string | string[] | undefined): number | undefined {
  if (header === undefined) return undefined;
  if (typeof header !== 'string') return Number.NaN;
  const unit = unitMs[header.charAt(header.length - 1)];
  const digits = header.slice(0, -1);
  if (unit === undefined || !/^\d{1,15}(?:\.\d{1,9})?$/.test(digits)) return Number.NaN;
  return Number(digits) * unit;
}
