// Proves that metadata reaches methods and comes back the same on every protocol: request ids, ASCII, binary and
// repeated keys, headers and trailers, details and metadata of errors, and what interceptors make of all of them.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  Code,
  ConnectError,
  createContextKey,
  decodeBinaryHeader,
  encodeBinaryHeader,
  type Interceptor,
} from '@connectrpc/connect';
import { all, endsWith } from '../support/outcome.ts';
import { nameOf, wires } from '../support/transports.ts';
import { echoOf, serve } from './echo.ts';
import { MetadataSchema } from './gen/echo_pb.js';

for (const wire of wires) {
  describe(`metadata of ${nameOf(wire)}`, () => {
    it('names the call: an id is taken, or made, and returned', async (t) => {
      const serving = await serve(t, {
        unary: (_, { requestHeader }) => ({ text: requestHeader.get('x-request-id') ?? '' }),
      });
      const echo = echoOf(serving, wire);
      const idOf = async (sent?: string) => {
        let returned = '';
        const { text } = await echo.unary(
          {},
          {
            headers: sent === undefined ? {} : { 'x-request-id': sent },
            onHeader: (headers) => {
              returned = headers.get('x-request-id') ?? '';
            },
          },
        );
        assert.equal(text, returned, 'the method sees another id than the client');
        return text;
      };
      assert.equal(await idOf('my-id'), 'my-id');
      const made = await idOf();
      assert.ok(made.length > 0);
      assert.notEqual(await idOf(), made);
      assert.equal(await idOf('x'.repeat(128)), 'x'.repeat(128));
      for (const unfit of ['x'.repeat(129), 'a b']) assert.notEqual(await idOf(unfit), unfit);
    });

    it('reaches the method: ASCII, binary, repeated', async (t) => {
      let seen = new Headers();
      const serving = await serve(t, {
        unary(_, { requestHeader }) {
          seen = requestHeader;
          return {};
        },
      });
      const headers = new Headers({ ip: '127.0.0.1', 'data-bin': encodeBinaryHeader(Uint8Array.of(0, 255)) });
      headers.append('twice', 'a');
      headers.append('twice', 'b');
      await echoOf(serving, wire).unary({}, { headers });
      assert.equal(seen.get('ip'), '127.0.0.1');
      assert.equal(seen.get('twice'), 'a, b');
      assert.deepEqual([...decodeBinaryHeader(seen.get('data-bin') ?? '')], [0, 255]);
    });

    it('comes back as headers and trailers, cookies each on their own', async (t) => {
      const serving = await serve(t, {
        unary(_, { responseHeader, responseTrailer }) {
          responseHeader.set('early', 'a');
          responseHeader.append('set-cookie', 'a=1');
          responseHeader.append('set-cookie', 'b=2');
          responseTrailer.set('late', 'z');
          responseTrailer.set('late-bin', encodeBinaryHeader(Uint8Array.of(1, 2)));
          return {};
        },
        async *serverStream(_, { responseHeader, responseTrailer }) {
          responseHeader.set('early', 'a');
          yield {};
          responseTrailer.set('late', 'z');
        },
      });
      const echo = echoOf(serving, wire);
      let header = new Headers();
      let trailer = new Headers();
      const options = {
        onHeader: (it: Headers) => {
          header = it;
        },
        onTrailer: (it: Headers) => {
          trailer = it;
        },
      };
      await echo.unary({}, options);
      assert.equal(header.get('early'), 'a');
      assert.deepEqual(header.getSetCookie(), ['a=1', 'b=2']);
      assert.equal(trailer.get('late'), 'z');
      assert.deepEqual([...decodeBinaryHeader(trailer.get('late-bin') ?? '')], [1, 2]);
      await all(echo.serverStream({}, options));
      assert.equal(header.get('early'), 'a');
      assert.equal(trailer.get('late'), 'z');
    });

    it('can not break the call, whatever the method sets', async (t) => {
      const serving = await serve(t, {
        unary(_, { responseHeader, responseTrailer }) {
          for (const name of ['connection', 'keep-alive', 'transfer-encoding', 'te', 'upgrade']) {
            responseHeader.set(name, 'x');
            responseTrailer.set(name, 'x');
          }
          return { text: 'there' };
        },
        serverStream() {
          throw new ConnectError('half a pair: \ud800', Code.NotFound, { connection: 'close' });
        },
      });
      const echo = echoOf(serving, wire);
      assert.equal((await echo.unary({})).text, 'there');
      await endsWith(Code.NotFound, all(echo.serverStream({})));
    });

    it('of errors arrives, with their details and the headers set before', async (t) => {
      const fail = () =>
        new ConnectError('no such thing: ü', Code.NotFound, { why: 'gone' }, [
          { desc: MetadataSchema, value: { name: 'a', value: 'b' } },
        ]);
      const serving = await serve(t, {
        unary(_, { responseHeader }) {
          responseHeader.set('early', 'a');
          throw fail();
        },
        async *serverStream() {
          yield {};
          throw fail();
        },
      });
      const echo = echoOf(serving, wire);
      for (const work of [() => echo.unary({}), () => all(echo.serverStream({}))]) {
        const error = await endsWith(Code.NotFound, work());
        assert.equal(error.rawMessage, 'no such thing: ü');
        assert.equal(error.metadata.get('why'), 'gone');
        assert.deepEqual(
          error.findDetails(MetadataSchema).map(({ name, value }) => [name, value]),
          [['a', 'b']],
        );
      }
      const error = await endsWith(Code.NotFound, echo.unary({}));
      assert.equal(error.metadata.get('early'), 'a');
    });

    it('is what interceptors make of it', async (t) => {
      const key = createContextKey('unset');
      const trace: string[] = [];
      const outer: Interceptor = (next) => async (request) => {
        trace.push('outer');
        request.header.set('added', 'by the interceptor');
        request.contextValues.set(key, 'set');
        const response = await next(request);
        response.header.set('early', 'a');
        response.trailer.set('late', 'z');
        trace.push('outer again');
        return response;
      };
      const inner: Interceptor = (next) => (request) => {
        trace.push('inner');
        return next({ ...request, header: new Headers([...request.header, ['more', 'm']]) });
      };
      const echoed = (header: Headers, value: string) =>
        `${header.get('added')}, ${header.get('more')}, ${value}`;
      const serving = await serve(
        t,
        {
          unary: (_, { requestHeader, values }) => ({ text: echoed(requestHeader, values.get(key)) }),
          async *serverStream(_, { requestHeader, values }) {
            yield { text: echoed(requestHeader, values.get(key)) };
          },
        },
        { interceptors: [outer, inner] },
      );
      const echo = echoOf(serving, wire);
      let seen = '';
      const options = {
        onHeader: (it: Headers) => {
          seen = `${it.get('early')}`;
        },
        onTrailer: (it: Headers) => {
          seen += `${it.get('late')}`;
        },
      };
      const expected = 'by the interceptor, m, set';
      assert.equal((await echo.unary({}, options)).text, expected);
      assert.equal(seen, 'az');
      assert.deepEqual(trace, ['outer', 'inner', 'outer again']);
      assert.deepEqual(
        (await all(echo.serverStream({}, options))).map(({ text }) => text),
        [expected],
      );
      assert.equal(seen, 'az');
    });

    it('lets interceptors answer, refuse, cut off and change a stream', async (t) => {
      const gate: Interceptor = (next) => async (request) => {
        switch (request.header.get('want')) {
          case 'refusal':
            throw new ConnectError('not you', Code.PermissionDenied);
          case 'abort':
            return next({ ...request, signal: AbortSignal.abort(new ConnectError('enough', Code.Aborted)) });
        }
        const response = await next(request);
        if (!response.stream) return response;
        const { message } = response;
        async function* marked() {
          for await (const it of message) yield Object.assign(it, { text: 'marked' });
        }
        return { ...response, message: marked() };
      };
      const serving = await serve(
        t,
        {
          unary(_, { signal }) {
            signal.throwIfAborted();
            return { text: 'reached' };
          },
          async *serverStream() {
            yield { text: 'plain' };
          },
        },
        { interceptors: [gate] },
      );
      const echo = echoOf(serving, wire);
      await endsWith(Code.PermissionDenied, echo.unary({}, { headers: { want: 'refusal' } }));
      await endsWith(Code.Aborted, echo.unary({}, { headers: { want: 'abort' } }));
      assert.equal((await echo.unary({})).text, 'reached');
      assert.deepEqual(
        (await all(echo.serverStream({}))).map(({ text }) => text),
        ['marked'],
      );
    });
  });
}
