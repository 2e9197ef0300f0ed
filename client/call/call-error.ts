import { Code, ConnectError } from '@connectrpc/connect';
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from '../../proto/gen/google/rpc/error_details_pb.js';

/** One thing that is wrong with a request. */
export interface Violation {
  /** The field, as the proto file names it, for example `username`. */
  readonly field: string;
  /** What is wrong with it, for people. */
  readonly description: string;
  /** What is wrong with it, for programs; empty if the server doesn't say. */
  readonly reason: string;
}

/**
 * How a call failed. Everything that a client throws for a call is of this class.
 *
 * It is a ConnectError, so `code`, `rawMessage`, `metadata` (headers and trailers) and `findDetails()` work too; the
 * details that services commonly send are here as plain properties.
 */
export class CallError extends ConnectError {
  /** All that is wrong with the request (google.rpc.BadRequest); empty unless the code is INVALID_ARGUMENT. */
  readonly violations: readonly Violation[];
  /** Why, for programs (google.rpc.ErrorInfo), for example `USERNAME_TAKEN`. */
  readonly reason: string | undefined;
  /** After how long a retry makes sense, as the server says (google.rpc.RetryInfo). */
  readonly retryAfterMs: number | undefined;
  /**
   * True if no attempt of the call can have reached the server: there was no connection, or its metadata was refused
   * here.
   */
  readonly neverSent: boolean;

  constructor(error: ConnectError, init: { message?: string; code?: Code; neverSent?: boolean } = {}) {
    const code = init.code ?? error.code;
    super(
      init.message ?? error.rawMessage,
      // connect-es 2.2.0 takes any number for a code that a server puts into grpc-status-details-bin.
      code in Code ? code : Code.Unknown,
      error.metadata,
      undefined,
      error.cause ?? error,
    );
    this.message = `${codeName(this.code)}: ${this.rawMessage}`;
    // The stack begins with the message that it finds. The name stays: connect knows its own errors by it.
    Error.captureStackTrace(this, new.target);
    this.neverSent = init.neverSent ?? (error instanceof CallError && error.neverSent);
    this.details = error.details;
    this.isWireError = error.isWireError;
    const [badRequest] = error.findDetails(BadRequestSchema);
    const [errorInfo] = error.findDetails(ErrorInfoSchema);
    const [retryInfo] = error.findDetails(RetryInfoSchema);
    this.violations = (badRequest?.fieldViolations ?? []).map(({ field, description, reason }) => ({
      field,
      description,
      reason,
    }));
    this.reason = errorInfo?.reason;
    const delay = retryInfo?.retryDelay;
    this.retryAfterMs = delay && Number(delay.seconds) * 1000 + delay.nanos / 1e6;
  }

  /** The `x-request-id` of the call, to find it in the server's log. */
  get requestId(): string | undefined {
    return this.metadata.get('x-request-id') ?? undefined;
  }

  override toString(): string {
    return `CallError: ${this.message}`;
  }

  /** What a program wants to know, for JSON.stringify. */
  toJSON() {
    const { code, rawMessage: message, reason, violations, retryAfterMs, requestId } = this;
    return { code: codeName(code), number: code, message, reason, violations, retryAfterMs, requestId };
  }

  /** ConnectError takes anything that looks like one for an instance; this class, and what extends it, is exact. */
  static override readonly [Symbol.hasInstance] = Function.prototype[Symbol.hasInstance];
}

/** The name of a status code as gRPC writes it, such as DEADLINE_EXCEEDED. */
export function codeName(code: Code): string {
  if (code === Code.Canceled) return 'CANCELLED';
  return Code[code].replace(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase();
}
