/** Where a span stands in a trace (https://www.w3.org/TR/trace-context/). */
export interface SpanContext {
  /** 32 digits of lower-case hexadecimal, not all zero. */
  readonly traceId: string;
  /** 16 of them. */
  readonly spanId: string;
  readonly isSampled: boolean;
}

/** What a request says of the trace that it belongs to. */
export interface RemoteTrace {
  readonly traceId: string;
  /** The caller's span; `undefined` where a load balancer has begun the trace, which makes no spans. */
  readonly spanId: string | undefined;
  /** Whether the caller records; `undefined` where it leaves that to others. */
  readonly isSampled: boolean | undefined;
}

const traceparent = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})($|-)/;
/** Version 00 ends after its flags; what a later one adds is not read, and may not have any length. */
const version00Characters = 55;
const maxTraceparentCharacters = 512;

/** Reads `traceparent`. `undefined` if it is not valid. */
export function parseTraceparent(header: string): SpanContext | undefined {
  if (header.length > maxTraceparentCharacters) return undefined;
  const [, version, traceId, spanId, flags] = traceparent.exec(header) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  if (version === '00' && header.length > version00Characters) return undefined;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** Writes `traceparent`. */
export function formatTraceparent({ traceId, spanId, isSampled }: SpanContext): string {
  return `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`;
}

/** Longer ones are not passed on: 512 characters are what everybody has to take, 32 members what there may be. */
const maxStateCharacters = 512;
const maxStateMembers = 32;
const stateMember =
  /^[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

/** Whether `tracestate` may be passed on: it is valid, and not too long. */
export function isTracestate(header: string): boolean {
  return isList(header, maxStateCharacters, maxStateMembers, stateMember);
}

/** What everybody has to take (https://www.w3.org/TR/baggage/#limits). */
const maxBaggageBytes = 8192;
const maxBaggageMembers = 64;
const baggageMember =
  /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+[ \t]*=[ \t]*(?:[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]+[ \t]*)?(?:;[\t\x20\x21\x23-\x2b\x2d-\x5b\x5d-\x7e]*)?$/;

/** Whether `baggage` may be passed on: it is valid, and not too large. */
export function isBaggage(header: string): boolean {
  return isList(header, maxBaggageBytes, maxBaggageMembers, baggageMember);
}

/** Whether a list that is separated by commas has members of this form; some may be empty, but not all. */
function isList(header: string, maxCharacters: number, maxMembers: number, member: RegExp): boolean {
  if (header.length > maxCharacters || !/^[\t\x20-\x7e]*$/.test(header)) return false;
  const members = header.split(',').map((it) => it.trim());
  const given = members.filter((it) => it !== '');
  return given.length > 0 && given.length <= maxMembers && given.every((it) => member.test(it));
}
