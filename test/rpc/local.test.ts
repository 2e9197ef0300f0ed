// Proves that a call from within the process, by `server.local`, is a call like any other: all kinds of methods,
// metadata, gate and interceptors, errors, of which the log alone has the causes, and one line in the log.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  Code,
  ConnectError,
  createClient,
  createContextKey,
  createContextValues,
  type HandlerContext,
  type Interceptor,
} from '@connectrpc/connect';
import { Users } from '../../proto/gen/users_pb.js';
import { all, endsWith } from '../support/outcome.ts';
import type { Serving } from '../support/server.ts';
import { serve } from './echo.ts';
import { Echo, MetadataSchema } from './gen/echo_pb.js';

const echoOf = ({ server }: Serving) => createClient(Echo, server.local);

/** The log once it has a line for each of so many calls. */
async function linesOf(serving: Serving, count: number) {
  await serving.line(() => serving.lines.length >= count);
  return serving.lines.map(({ protocol, method, code, peer }) => `${protocol} ${peer} ${method} ${code}`);
}

const echo = (method: string, code: string) => `local local /test.echo.v1.Echo/${method} ${code}`;

describe('methods called from within the process', () => {
  it('are of all kinds', async (t) => {
    const serving = await serve(t, {
      unary: ({ text }) => ({ text }),
      async *serverStream({ text, count }) {
        for (let index = 0; index < count; index++) yield { text, index };
      },
      async clientStream(requests) {
        return { text: (await all(requests)).map((it) => it.text).join(' ') };
      },
      async *bidi(requests) {
        for await (const { text } of requests) yield { text };
      },
    });
    const local = echoOf(serving);
    async function* texts(...items: string[]) {
      for (const text of items) yield { text };
    }
    assert.equal((await local.unary({ text: 'a' })).text, 'a');
    assert.deepEqual(
      (await all(local.serverStream({ count: 3 }))).map(({ index }) => index),
      [0, 1, 2],
    );
    assert.deepEqual(await all(local.serverStream({})), []);
    assert.equal((await local.clientStream(texts('a', 'b'))).text, 'a b');
    assert.deepEqual(
      (await all(local.bidi(texts('a', 'b')))).map(({ text }) => text),
      ['a', 'b'],
    );
    const methods = ['Unary', 'ServerStream', 'ServerStream', 'ClientStream', 'Bidi'];
    assert.deepEqual(
      await linesOf(serving, 5),
      methods.map((it) => echo(it, 'OK')),
    );
  });

  it('answer before the next request', async (t) => {
    const serving = await serve(t, {
      async *bidi(requests) {
        for await (const { text } of requests) yield { text };
      },
    });
    const go = Promise.withResolvers<void>();
    async function* requests() {
      yield { text: 'first' };
      await go.promise;
      yield { text: 'last' };
    }
    const answers = echoOf(serving).bidi(requests())[Symbol.asyncIterator]();
    assert.equal((await answers.next()).value?.text, 'first');
    go.resolve();
    assert.equal((await answers.next()).value?.text, 'last');
    assert.equal((await answers.next()).done, true);
  });

  it('get metadata and context values, and give metadata', async (t) => {
    const key = createContextKey('unset');
    const interceptor: Interceptor = (next) => (request) => {
      request.header.append('asked', 'by the interceptor');
      return next(request);
    };
    const answer = (context: HandlerContext) => {
      context.responseHeader.set('early', 'a');
      context.responseTrailer.set('late', 'z');
      const { requestHeader, values } = context;
      return {
        text: `${requestHeader.get('asked')}, ${requestHeader.get('x-request-id')}, ${values.get(key)}`,
      };
    };
    const serving = await serve(
      t,
      {
        unary: (_, context) => answer(context),
        async *serverStream(_, context) {
          yield answer(context);
        },
      },
      { interceptors: [interceptor] },
    );
    const local = echoOf(serving);
    const seen: (string | null)[] = [];
    const options = {
      headers: { asked: 'by the caller', 'x-request-id': 'id' },
      contextValues: createContextValues().set(key, 'set'),
      onHeader: (it: Headers) => void seen.push(it.get('early')),
      onTrailer: (it: Headers) => void seen.push(it.get('late')),
    };
    const expected = 'by the caller, by the interceptor, id, set';
    assert.equal((await local.unary({}, options)).text, expected);
    assert.equal((await all(local.serverStream({}, options)))[0]?.text, expected);
    assert.deepEqual(seen, ['a', 'z', 'a', 'z']);
    await linesOf(serving, 2);
    for (const { requestId } of serving.lines) assert.equal(requestId, 'id');
  });

  it('tell errors whole, and their causes to the log alone', async (t) => {
    const cause = new Error('a secret');
    const error = new ConnectError(
      'no such thing',
      Code.NotFound,
      { why: 'gone' },
      [{ desc: MetadataSchema, value: { name: 'a', value: 'b' } }],
      cause,
    );
    const serving = await serve(t, {
      unary: ({ text }) => Promise.reject(text === 'known' ? error : cause),
      async *serverStream({ text }) {
        yield {};
        throw text === 'known' ? error : cause;
      },
    });
    const local = echoOf(serving);
    const calls = [
      (text: string) => local.unary({ text }),
      (text: string) => all(local.serverStream({ text })),
    ];
    for (const call of calls) {
      const known = await endsWith(Code.NotFound, call('known'));
      assert.equal(known.rawMessage, 'no such thing');
      assert.equal(known.metadata.get('why'), 'gone');
      assert.equal(known.findDetails(MetadataSchema)[0]?.value, 'b');
      const unknown = await endsWith(Code.Internal, call('unknown'));
      assert.equal(unknown.rawMessage, 'internal error');
      for (const it of [known, unknown]) assert.equal(it.cause, undefined);
    }
    await linesOf(serving, 4);
    for (const { err } of serving.lines) assert.equal(err, cause);
  });

  it('are refused by the gate, are not to be had if they are not served, and need their one request', async (t) => {
    const serving = await serve(
      t,
      {
        async *serverStream() {
          yield {};
        },
      },
      {
        gate({ protocol, method, headers, peer, client }) {
          assert.deepEqual(
            [protocol, method?.parent.typeName, peer, client],
            ['local', Echo.typeName, 'local', 'local'],
          );
          if (headers.want === 'refusal') throw new ConnectError('not you', Code.PermissionDenied);
        },
      },
    );
    const local = echoOf(serving);
    const refused = all(local.serverStream({}, { headers: { Want: 'refusal' } }));
    assert.equal((await endsWith(Code.PermissionDenied, refused)).rawMessage, 'not you');
    await endsWith(Code.Unimplemented, local.missing({}));
    await endsWith(Code.Unimplemented, createClient(Users, serving.server.local).createUser({}));
    const { serverStream } = Echo.method;
    const streamOf = async (requests: AsyncIterable<object>) =>
      all(
        (await serving.server.local.stream(serverStream, undefined, undefined, undefined, requests)).message,
      );
    await endsWith(Code.Unimplemented, streamOf((async function* () {})()));
    const broken = (async function* () {
      yield* [];
      throw new ConnectError('my own', Code.DataLoss);
    })();
    await endsWith(Code.DataLoss, streamOf(broken));
    assert.deepEqual(await linesOf(serving, 4), [
      echo('ServerStream', 'PERMISSION_DENIED'),
      echo('Missing', 'UNIMPLEMENTED'),
      echo('ServerStream', 'UNIMPLEMENTED'),
      echo('ServerStream', 'DATA_LOSS'),
    ]);
  });
});
