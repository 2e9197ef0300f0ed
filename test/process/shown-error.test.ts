// Proves that of an error that nobody has caught only its type and its frames are shown, whatever it says and carries;
// and that the log has what helps of any other error, and nothing that merely hangs on it.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { describeCrash, loggedError } from '../../functions/process/shown-error.ts';

const secret = 'SECRET';

describe('a crash', () => {
  it('shows the type and where it came from', () => {
    const lines = describeCrash(new TypeError(secret, { cause: new Error(secret) })).split('\n');
    assert.match(lines[0] ?? '', /^TypeError, which nobody has caught; /);
    assert.match(lines[1] ?? '', /^ {4}at .*shown-error\.test\.ts:\d+:\d+\)?$/);
    assert.ok(!lines.join().includes(secret));
  });

  it('shows nothing that looks like a frame, and is none', () => {
    const line = fc.constantFrom(
      '',
      'Error: ',
      `    at ${secret} (file:///a.ts:1:1)`,
      `    at /${secret}:1:1`,
      secret,
      '\n',
    );
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const shown = describeCrash(new Error(lines.join('\n')));
        assert.ok(!shown.includes(secret), shown);
        assert.match(shown, /shown-error\.test\.ts/);
      }),
    );
  });

  it('shows what was thrown, if it is no error, by its type alone', () => {
    for (const thrown of [secret, { secret }, undefined, null, [secret], Symbol(secret)]) {
      assert.ok(!describeCrash(thrown).includes(secret));
    }
  });
});

it('the log has type, message, code, stack and cause of an error, and nothing else', () => {
  const cause = Object.assign(new TypeError('why'), { code: { secret } });
  const error = Object.assign(new RangeError('what', { cause }), {
    code: 'E',
    request: { secret },
    $response: secret,
  });
  const { type, message, code, stack, cause: shown, ...rest } = Object(loggedError(error));
  assert.deepEqual([type, message, code, stack, rest], ['RangeError', 'what', 'E', error.stack, {}]);
  assert.deepEqual(shown, {
    type: 'TypeError',
    message: 'why',
    code: undefined,
    stack: cause.stack,
    cause: undefined,
  });
  assert.equal(loggedError('text'), 'text');
});

it('the log shows an error that is the cause of its own cause', () => {
  const error = new Error('first');
  error.cause = new Error('second', { cause: error });
  assert.ok(JSON.stringify(loggedError(error)).includes('second'));
});
