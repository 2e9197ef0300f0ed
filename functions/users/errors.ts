import { Code, ConnectError } from '@connectrpc/connect';
import {
  type BadRequest_FieldViolation,
  BadRequestSchema,
  ErrorInfoSchema,
  retryInfo,
} from '../rpc/index.ts';

/** What an error of the service's own says, whenever it is raised. */
export interface UsersErrorEntry {
  readonly code: Code;
  /** For people. */
  readonly message: string;
  /** What the caller should do; `docs/errors.md` has it too. */
  readonly advice: string;
}

/** The domain of the service's own errors in `google.rpc.ErrorInfo`. */
export const usersErrorDomain = 'users';

/** Every error of the service's own, by the reason that programs find in `google.rpc.ErrorInfo`. */
export const usersErrors = {
  INVALID_FIELDS: {
    code: Code.InvalidArgument,
    message: 'the request is not valid',
    advice: 'Correct the fields that `BadRequest` lists, all at once. Nothing was stored.',
  },
  TOO_MANY_USERS: {
    code: Code.InvalidArgument,
    message: 'the request asks for too many users',
    advice: 'Ask in several calls, each within the limit that `BadRequest` names.',
  },
  REQUEST_ID_REUSED: {
    code: Code.InvalidArgument,
    message: 'the request_id was used before with other content',
    advice: 'Send a new request_id with each new sign-up or change; only a repeat keeps it.',
  },
  // Not INVALID_ARGUMENT: the request may be a repeat of the first one, and this error must not tell.
  REQUEST_ID_SPENT: {
    code: Code.ResourceExhausted,
    message: 'too many requests with other content came with this request_id',
    advice:
      'Look with `GetUsers` whether the user was stored or changed. Keep a request_id secret, and send a new one with each new sign-up or change.',
  },
  USERNAME_TAKEN: {
    code: Code.AlreadyExists,
    message: 'the username is taken',
    advice:
      'Choose another username. Names that differ only in case are the same. That of a user who was removed stays taken for a while.',
  },
  EMAIL_TAKEN: {
    code: Code.AlreadyExists,
    message: 'the email is taken',
    advice:
      'Choose another email. Addresses that differ only in case are the same. That of a user who was removed stays taken for a while.',
  },
  // The same for a user who is not there, has no password, or has another.
  WRONG_PASSWORD: {
    code: Code.Unauthenticated,
    message: 'there is no such user with this password',
    advice: 'Ask for name and password again. Whether there is such a user is not told.',
  },
  USER_GUESSES_SPENT: {
    code: Code.ResourceExhausted,
    message: 'too many wrong passwords came for this user',
    advice: 'Retry after the time in `RetryInfo`; see `maxWrongPasswordsPerUser` in [limits.md](limits.md).',
  },
  CLIENT_GUESSES_SPENT: {
    code: Code.ResourceExhausted,
    message: 'too many wrong passwords came from this client',
    advice:
      'Retry after the time in `RetryInfo`; see `maxWrongPasswordsPerClient` in [limits.md](limits.md).',
  },
  CALLER_GUESSES_SPENT: {
    code: Code.ResourceExhausted,
    message: 'too many wrong passwords came from this caller',
    advice:
      'Retry after the time in `RetryInfo`; see `maxWrongPasswordsPerCaller` in [limits.md](limits.md).',
  },
  USER_NOT_FOUND: {
    code: Code.NotFound,
    message: 'there is no such user',
    advice: 'Look for the user with `GetUsers`; it may have been renamed or removed.',
  },
  ETAG_OUTDATED: {
    code: Code.Aborted,
    message: 'the user has changed since the etag was read',
    advice: 'Read the account again with `GetAccount`, decide again, and send its etag.',
  },
  USER_CONTENDED: {
    code: Code.Unavailable,
    message: 'others change the user at the same time',
    advice: 'Retry after the time in `RetryInfo`. Nothing was changed.',
  },
  // Not RESOURCE_EXHAUSTED, which clients read as a quota of their own and do not retry (AIP-194 retries
  // UNAVAILABLE alone): the server is busy for some hundred milliseconds, and nothing has been stored.
  HASHING_OVERLOADED: {
    code: Code.Unavailable,
    message: 'too many passwords are waiting to be hashed',
    advice:
      'Retry after the time in `RetryInfo`. Nothing was stored. Send fewer passwords at once: a client has a share of the queue, not all of it.',
  },
  STORE_UNAVAILABLE: {
    code: Code.Unavailable,
    message: 'the store of the users does not answer',
    advice:
      'Retry after the time in `RetryInfo`. Where that is missing, the user may have been stored, changed or removed: look with `GetUsers`, or send a request_id next time.',
  },
  USER_IDS_EXHAUSTED: {
    code: Code.Unavailable,
    message: 'no free user_id was found',
    advice: 'Retry after the time in `RetryInfo`. Tell who operates the service: it holds too many users.',
  },
} as const satisfies Record<string, UsersErrorEntry>;

/** The reason of one of the service's own errors. */
export type UsersErrorReason = keyof typeof usersErrors;

/** A field that is not as it must be: its proto name, what it must be, and a constant for programs. */
export type FieldViolation = Pick<BadRequest_FieldViolation, 'field' | 'description' | 'reason'>;

/** What an error says beyond its entry in the registry. */
export interface UsersErrorDetails {
  /** The fields at fault; they become a `google.rpc.BadRequest`. */
  readonly violations?: readonly FieldViolation[];
  /** After how many ms a retry makes sense; it becomes a `google.rpc.RetryInfo`. Only where a retry is safe. */
  readonly retryAfterMs?: number;
  /** What caused it. Only the log gets it. */
  readonly cause?: unknown;
}

/**
 * Makes the error of a reason: code, message, a `google.rpc.ErrorInfo` with reason and domain, and the details that are
 * given. The message repeats the violations, for people who see nothing else.
 */
export function usersError(reason: UsersErrorReason, details: UsersErrorDetails = {}): ConnectError {
  const { code, message }: UsersErrorEntry = usersErrors[reason];
  const { violations, retryAfterMs, cause } = details;
  const text = violations?.map(({ field, description }) => `${field} ${description}`).join('; ');
  const error = new ConnectError(
    text ? `${message}: ${text}` : message,
    code,
    undefined,
    [{ desc: ErrorInfoSchema, value: { reason, domain: usersErrorDomain } }],
    cause,
  );
  if (violations) error.details.push({ desc: BadRequestSchema, value: { fieldViolations: [...violations] } });
  if (retryAfterMs !== undefined) error.details.push(retryInfo(retryAfterMs));
  return error;
}
