// Proves that a request id of the client's is taken as it is where it is fit for a log, and that one which could end a
// text in it is not taken.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { requestId } from '../../../functions/rpc/call/request-id.ts';

it('takes what people and programs use as ids', () => {
  for (const id of ['1', 'b1946ac9-2492-4234', 'Root=1-65f0c5a1-0123', 'a/b:c+d~e!', 'x'.repeat(128)]) {
    assert.equal(requestId(id), id);
  }
});

it('makes an id of its own in place of what could deceive the reader of a log', () => {
  for (const id of ['a"b', 'a\\b', 'a b', 'a\nb', 'ä', '', 'x'.repeat(129), ['a', 'b'], undefined]) {
    assert.match(requestId(id), /^[\w-]{12}-[0-9a-z]+$/, String(id));
  }
});
