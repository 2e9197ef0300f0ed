// Proves that each entry of the registry makes an error that programs understand: its code, an ErrorInfo with
// reason and domain, and RetryInfo to the nanosecond where it is asked for.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import fc from 'fast-check';
import { ErrorInfoSchema, RetryInfoSchema } from '../../functions/rpc/index.ts';
import { type UsersErrorReason, usersError, usersErrors } from '../../functions/users/errors.ts';

describe('usersError', () => {
  for (const [name, { code, message }] of Object.entries(usersErrors)) {
    it(`makes ${name}`, () => {
      // google/rpc/error_details.proto says so of ErrorInfo.reason.
      assert.match(name, /^[A-Z][A-Z0-9_]{1,61}[A-Z0-9]$/);
      const cause = new Error('inner');
      const error = usersError(name as UsersErrorReason, { cause }); // entries() loses the type of the keys
      assert.equal(error.code, code);
      assert.equal(error.rawMessage, message);
      assert.equal(error.cause, cause);
      assert.deepEqual(error.details, [{ desc: ErrorInfoSchema, value: { reason: name, domain: 'users' } }]);
      assert.notEqual(code, Code.Internal, 'what is unknown is left to the server');
    });
  }

  it('tells the delay before a retry as a duration', () => {
    const property = fc.property(fc.nat({ max: 10_000_000 }), (retryAfterMs) => {
      const detail = usersError('STORE_UNAVAILABLE', { retryAfterMs }).details[1];
      assert.ok(detail && 'desc' in detail && detail.desc === RetryInfoSchema);
      const delay = create(RetryInfoSchema, detail.value).retryDelay;
      assert.ok(delay && delay.nanos < 1e9);
      assert.equal(Number(delay.seconds) * 1000 + delay.nanos / 1e6, retryAfterMs);
    });
    fc.assert(property);
  });
});
