import assert from 'node:assert/strict';
import { Code, encodeBinaryHeader, type Interceptor } from '@connectrpc/connect';
import { UsersError } from '../../client/client.ts';
import { ways } from '../support/transports.ts';
import { test } from './home.ts';
import { open, type Target, uniqueName } from './target.ts';

/** Proves that metadata of every kind passes, and what may not pass is refused clearly, in every protocol. */
export function proveMetadata(target: () => Target): void {
  for (const way of ways) {
    test(`${way.name}: ASCII, binary, repeated and big metadata pass; the request id comes back`, async () => {
      using client = open(target(), way);
      const id = uniqueName();
      let received = new Headers();
      await client.createUser(
        { username: uniqueName() },
        {
          headers: [
            ['x-request-id', id],
            ['ip', '127.0.0.1'],
            ['tag', 'a'],
            ['tag', 'b, c'],
            ['punctuation', ' !"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~'],
            ['trace-bin', encodeBinaryHeader(new Uint8Array([0, 10, 13, 127, 255]))],
            ['trace-bin', encodeBinaryHeader('Grüße')],
            // An ALB takes 16 KiB a header.
            ['big', 'x'.repeat(12 * 1024)],
          ],
          onHeader(headers) {
            received = headers;
          },
        },
      );
      assert.equal(received.get('x-request-id'), id);
    });

    test(`${way.name}: the server makes a request id where the call has none, also for errors and streams`, async () => {
      using client = open(target(), way);
      const ids: (string | null | undefined)[] = [];
      const onHeader = (headers: Headers) => {
        ids.push(headers.get('x-request-id'));
      };
      await client.createUser({ username: uniqueName() }, { onHeader });
      for await (const _ of client.getUsers({ user: [{ userId: 1 }] }, { onHeader }));
      const error = await client.createUser({ username: '' }).catch((reason: unknown) => reason);
      assert.ok(error instanceof UsersError);
      ids.push(error.requestId);
      assert.equal(ids.length, 3);
      assert.ok(ids.every(Boolean), String(ids));
      assert.equal(new Set(ids).size, 3);
    });

    test(`${way.name}: Unicode is refused before it is sent`, async () => {
      using client = open(target(), way);
      await assert.rejects(client.createUser({ username: uniqueName() }, { headers: { name: 'Zoë' } }), {
        code: Code.InvalidArgument,
        rawMessage: /must be printable ASCII/,
      });
    });

    test(`${way.name}: the server refuses too much metadata for the one call, and not for the next`, async () => {
      // Node's HTTP/2 does not send as many bytes as the server refuses, but any number of headers.
      const [count, bytes] = way.httpVersion === '2' ? [300, 100] : [10, 12 * 1024];
      let more = true;
      // What an interceptor adds passes the check of the client.
      const addTooMuch: Interceptor = (next) => (request) => {
        for (let n = 0; more && n < count; n++) request.header.set(`big-${n}`, 'x'.repeat(bytes));
        return next(request);
      };
      using client = open(target(), { ...way, retry: { maxAttempts: 1 }, interceptors: [addTooMuch] });
      await assert.rejects(
        client.createUser({ username: uniqueName() }, { timeoutMs: 5_000 }),
        (error) =>
          error instanceof UsersError &&
          error.code !== Code.DeadlineExceeded &&
          // What Node says of headers that it does not send.
          !error.rawMessage.includes('ECANCELED'),
      );
      more = false;
      await client.createUser({ username: uniqueName() });
    });
  }
}
