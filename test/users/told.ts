import assert from 'node:assert/strict';
import { Code, ConnectError } from '@connectrpc/connect';
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from '../../functions/rpc/index.ts';

/** What an error of the service tells. */
export interface Told {
  readonly code: string | undefined;
  readonly reason: string | undefined;
  /** In ms, if the error says that a retry is safe. */
  readonly retryAfterMs: number | undefined;
  readonly message: string;
}

/** How a call fails, which it must. */
export async function failureOf(call: Promise<unknown>): Promise<ConnectError> {
  try {
    await call;
  } catch (error) {
    assert.ok(error instanceof ConnectError, `not a ConnectError: ${error}`);
    return error;
  }
  return assert.fail('the call did not fail');
}

/** What a program and a person read of an error. */
export function told(error: ConnectError): Told {
  const [info] = error.findDetails(ErrorInfoSchema);
  assert.equal(info?.domain, 'users');
  const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  return {
    code: Code[error.code],
    reason: info?.reason,
    retryAfterMs: delay && Number(delay.seconds) * 1000 + delay.nanos / 1e6,
    message: error.rawMessage,
  };
}

/** The fields that an error names, each with its reason. */
export function violationsOf(error: ConnectError): string[] {
  const [details] = error.findDetails(BadRequestSchema);
  return (details?.fieldViolations ?? []).map(({ field, reason }) => `${field} ${reason}`);
}

/** The reason of the error that a call ends with, or `OK`. */
export async function outcomeOf(call: Promise<unknown>): Promise<string | undefined> {
  try {
    await call;
    return 'OK';
  } catch (error) {
    assert.ok(error instanceof ConnectError, `not a ConnectError: ${error}`);
    return error.findDetails(ErrorInfoSchema)[0]?.reason ?? Code[error.code];
  }
}
