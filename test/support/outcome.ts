import assert from 'node:assert/strict';
import { Code, ConnectError } from '@connectrpc/connect';
import { withPatience } from './patience.ts';

/** Fails when the call does not end with the code in any bearable time. */
export async function endsWith(code: Code, call: Promise<unknown>): Promise<ConnectError> {
  const outcome = await withPatience(
    call.then(
      (answer) => ({ answer }),
      (error: unknown) => ({ error }),
    ),
  );
  assert.ok(outcome, 'the call has not ended');
  if (!('error' in outcome)) assert.fail(`the call succeeded: ${JSON.stringify(outcome)}`);
  assert.ok(outcome.error instanceof ConnectError, String(outcome.error));
  assert.equal(Code[outcome.error.code], Code[code], outcome.error.message);
  return outcome.error;
}

/** All items of a stream. */
export async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of stream) items.push(item);
  return items;
}
