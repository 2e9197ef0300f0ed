import type { RemoteTrace } from './trace-context.ts';

/** The header of AWS's load balancers and of X-Ray. */
export const amazonTraceIdHeader = 'x-amzn-trace-id';

/** A load balancer adds its `Self`, others their own; nobody needs more. */
const maxHeaderCharacters = 512;
/** `Root`: the version, the time in seconds, and 96 random bits. */
const rootId = /^1-([0-9a-f]{8})-([0-9a-f]{24})$/i;
const spanId = /^[0-9a-f]{16}$/i;

/**
 * Reads `X-Amzn-Trace-Id: Root=1-…-…;Parent=…;Sampled=1`. An Application Load Balancer sends `Root` alone: the trace is
 * taken over then, without a parent span
 * (https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader). `undefined` if it
 * has no valid `Root`.
 */
export function parseAmazonTraceId(header: string): RemoteTrace | undefined {
  if (header.length > maxHeaderCharacters) return undefined;
  const fields = new Map<string, string>();
  for (const field of header.split(';')) {
    const at = field.indexOf('=');
    if (at > 0) fields.set(field.slice(0, at).trim().toLowerCase(), field.slice(at + 1).trim());
  }
  const [, time, random] = rootId.exec(fields.get('root') ?? '') ?? [];
  if (time === undefined || random === undefined) return undefined;
  const traceId = `${time}${random}`.toLowerCase();
  if (/^0+$/.test(traceId)) return undefined;
  const parent = fields.get('parent') ?? '';
  const sampled = fields.get('sampled');
  return {
    traceId,
    spanId: spanId.test(parent) && !/^0+$/.test(parent) ? parent.toLowerCase() : undefined,
    isSampled: sampled === '1' ? true : sampled === '0' ? false : undefined,
  };
}
