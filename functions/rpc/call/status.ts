import { Code, type ConnectError } from '@connectrpc/connect';
import { unexpectedCompression } from '../errors.ts';
import { metadataOf } from './metadata.ts';

/** The status of a call that went well. connect's `Code` has no name for it. */
export const ok = 0;

const names: readonly string[] = [
  'OK',
  ...Object.values(Code)
    .filter((it): it is string => typeof it === 'string')
    .map((name) => name.replace(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase()),
];

/** The name of a status as the gRPC documentation writes it, such as DEADLINE_EXCEEDED. */
export function statusName(code: number): string {
  return (code === Code.Canceled ? 'CANCELLED' : names[code]) ?? String(code);
}

/**
 * The name of a code as Connect writes it, such as `deadline_exceeded`. Source: https://connectrpc.com/docs/protocol
 */
export function connectCodeName(code: Code): string {
  return (names[code] ?? 'UNKNOWN').toLowerCase();
}

/**
 * The HTTP status of a failed call, for clients that see one. Source: https://connectrpc.com/docs/protocol#error-codes
 */
const httpStatuses: Readonly<Record<Code, number>> = {
  [Code.Canceled]: 499,
  [Code.Unknown]: 500,
  [Code.InvalidArgument]: 400,
  [Code.DeadlineExceeded]: 504,
  [Code.NotFound]: 404,
  [Code.AlreadyExists]: 409,
  [Code.PermissionDenied]: 403,
  [Code.ResourceExhausted]: 429,
  [Code.FailedPrecondition]: 400,
  [Code.Aborted]: 409,
  [Code.OutOfRange]: 400,
  [Code.Unimplemented]: 501,
  [Code.Internal]: 500,
  [Code.Unavailable]: 503,
  [Code.DataLoss]: 500,
  [Code.Unauthenticated]: 401,
};

/** @see httpStatuses */
export function httpStatusOf(code: Code): number {
  return httpStatuses[code] ?? 500;
}

/** The codes that count as errors of a server: https://opentelemetry.io/docs/specs/semconv/rpc/grpc/#grpc-status */
const serverErrorCodes: ReadonlySet<number> = new Set([
  ...[Code.Unknown, Code.DeadlineExceeded, Code.Unimplemented],
  ...[Code.Internal, Code.Unavailable, Code.DataLoss],
]);

/**
 * Whether a status is an error of the server by OpenTelemetry's conventions, which go by the code alone: a client can
 * make one. `isFault` says whether the server is to blame.
 */
export function isServerError(status: number): boolean {
  return serverErrorCodes.has(status);
}

/** Codes of what should not happen in a server. */
const faultCodes: ReadonlySet<Code> = new Set([Code.Internal, Code.Unknown, Code.DataLoss]);

/**
 * Whether a call failed through a fault of the server: the log (`fault`), the metric `rpc.server.faults`, and by them
 * the alarms that roll a deployment back all go by this. UNAVAILABLE is a fault where something has caused it, such as
 * a store that does not answer. It is none of a server that drains, for calls and for those who ask for its health, nor
 * where the cause is an overload (`isOverload`), such as a table that is throttled: clients make that. No client can
 * make a fault.
 */
export function isFault(error: ConnectError | undefined): boolean {
  if (error === undefined || error === unexpectedCompression()) return false;
  if (error.code !== Code.Unavailable) return faultCodes.has(error.code);
  return error.cause !== undefined && !isOverload(error.cause);
}

function isOverload(cause: unknown): boolean {
  return typeof cause === 'object' && cause !== null && 'isOverload' in cause && cause.isOverload === true;
}

/**
 * The metadata that goes with an error: what the service has set, and the error's own unless it came from elsewhere.
 */
export function errorMetadata(error: ConnectError, sent: Headers | undefined): Headers {
  const metadata = new Headers(metadataOf(sent));
  if (!error.isWireError)
    for (const [name, value] of metadataOf(error.metadata)) metadata.append(name, value);
  return metadata;
}
