// Proves that a service which is not Users is served with all kinds of methods on every protocol and version of
// HTTP: as protobuf and as JSON, with gzip in both directions, unknown methods in the words of each protocol.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Code } from '@connectrpc/connect';
import { compressionGzip } from '@connectrpc/connect-node';
import { Users } from '../../proto/gen/users_pb.js';
import { all, endsWith } from '../support/outcome.ts';
import { clientOf, nameOf, type WireOptions, wires } from '../support/transports.ts';
import { echoOf, serve } from './echo.ts';
import { call } from './raw.ts';

const long = 'long '.repeat(2_000);

/** Echoes in all four kinds. */
const echo = {
  unary: ({ text }: { text: string }) => ({ text }),
  async *serverStream({ text, count }: { text: string; count: number }) {
    for (let index = 0; index < count; index++) yield { text, index };
  },
  async clientStream(requests: AsyncIterable<{ text: string }>) {
    let text = '';
    let index = 0;
    for await (const request of requests) {
      text += request.text;
      index++;
    }
    return { text, index };
  },
  async *bidi(requests: AsyncIterable<{ text: string }>) {
    let index = 0;
    for await (const { text } of requests) yield { text, index: index++ };
  },
};

async function* texts(...items: string[]) {
  for (const text of items) yield { text };
}

const forms: [string, WireOptions][] = [
  ['protobuf', {}],
  ['JSON', { useBinaryFormat: false }],
  ['gzip', { sendCompression: compressionGzip, acceptCompression: [compressionGzip], compressMinBytes: 0 }],
];

for (const wire of wires) {
  describe(nameOf(wire), () => {
    for (const [name, options] of forms) {
      it(`carries all kinds of methods as ${name}`, async (t) => {
        const client = echoOf(await serve(t, echo), wire, options);
        assert.equal((await client.unary({ text: long })).text, long);
        assert.equal((await client.unary({})).text, '');
        assert.deepEqual(
          (await all(client.serverStream({ text: long, count: 3 }))).map(({ index, text }) => [index, text]),
          [
            [0, long],
            [1, long],
            [2, long],
          ],
        );
        assert.deepEqual(await all(client.serverStream({})), []);
        const { text, index } = await client.clientStream(texts('a', long, 'c'));
        assert.deepEqual([text, index], [`a${long}c`, 3]);
        if (wire.http === '1.1') return;
        assert.deepEqual(
          (await all(client.bidi(texts('a', long)))).map((it) => [it.index, it.text]),
          [
            [0, 'a'],
            [1, long],
          ],
        );
      });
    }

    it('compresses what is large enough for a client that asks for it, and nothing else', async (t) => {
      const serving = await serve(t, { unary: ({ text }) => ({ text: text || long }) });
      const accept = {
        grpc: 'grpc-accept-encoding',
        'grpc-web': 'grpc-accept-encoding',
        connect: 'accept-encoding',
      }[wire.protocol];
      const plain = await call(serving, wire);
      assert.ok(plain.body.includes(long));
      const zipped = await call(serving, wire, { headers: { [accept]: 'gzip' } });
      assert.match(zipped.headers, /^(grpc|content)-encoding: gzip$/m);
      assert.ok(zipped.body.length < long.length / 10);
    });

    it('says UNIMPLEMENTED of unknown services and methods', async (t) => {
      const serving = await serve(t, echo);
      await endsWith(Code.Unimplemented, echoOf(serving, wire).missing({}));
      await endsWith(Code.Unimplemented, clientOf(Users, serving, wire).createUser({}));
      await endsWith(Code.Unimplemented, all(clientOf(Users, serving, wire).getUsers({})));
    });

    it('takes only one request message where the method does', async (t) => {
      const serving = await serve(t, echo);
      if (wire.protocol === 'connect') return;
      const { headers } = await call(serving, wire, { body: Buffer.alloc(10) });
      assert.match(headers, /grpc-status: 12/);
      assert.match((await call(serving, wire, { body: Buffer.alloc(0) })).headers, /grpc-status: 12/);
    });
  });
}

for (const wire of wires.filter((it) => it.http === '2')) {
  it(`answers in the middle of the request over ${nameOf(wire)}`, async (t) => {
    const serving = await serve(t, echo);
    const go = Promise.withResolvers<void>();
    async function* requests() {
      yield { text: 'first' };
      await go.promise;
      yield { text: 'last' };
    }
    const answers = echoOf(serving, wire).bidi(requests())[Symbol.asyncIterator]();
    assert.equal((await answers.next()).value?.text, 'first');
    go.resolve();
    assert.equal((await answers.next()).value?.text, 'last');
    assert.equal((await answers.next()).done, true);
  });

  it(`ends a call before its request does over ${nameOf(wire)}`, async (t) => {
    const serving = await serve(t, {
      async clientStream(requests) {
        for await (const { text } of requests) return { text };
        return {};
      },
    });
    const end = Promise.withResolvers<void>();
    async function* requests() {
      yield { text: 'enough' };
      await end.promise;
    }
    assert.equal((await echoOf(serving, wire).clientStream(requests())).text, 'enough');
    end.resolve();
  });
}

it('JSON with a field that is unknown is refused, and the fields that there are named', async (t) => {
  const serving = await serve(t, echo);
  const wire = { protocol: 'connect', http: '1.1' } as const;
  const headers = { 'content-type': 'application/json' };
  const answer = await call(serving, wire, { headers, body: Buffer.from('{"text":"a","txet":"secret"}') });
  assert.equal(answer.status, 400);
  const { code, message } = JSON.parse(answer.body);
  assert.equal(code, 'invalid_argument');
  assert.match(message, /a field is unknown; test\.echo\.v1\.EchoRequest has text, count, /);
  assert.doesNotMatch(message, /txet|secret/);
});

it('a path that differs by a package, by case or by a slash at its end gets a hint', async (t) => {
  const serving = await serve(t, {}, { routes: (router) => router.service(Users, {}) });
  const request = { 'content-type': 'application/json', connection: 'close' };
  const ask = async (path: string) => {
    const response = await fetch(`${serving.url}${path}`, { method: 'POST', headers: request, body: '{}' });
    return String(Object(await response.json()).message);
  };
  const hint = (path: string) => `unknown service or method: ${path}; did you mean /Users/CreateUser?`;
  assert.equal(await ask('/users.Users/CreateUser'), hint('/users.Users/CreateUser'));
  assert.equal(await ask('/a.b.v1.Users/CreateUser'), hint('/a.b.v1.Users/CreateUser'));
  for (const path of ['/users/createuser', '/Users/CreateUser/', '/users.users/CREATEUSER/']) {
    assert.equal(await ask(path), hint(path));
  }
  assert.equal(await ask('/Users/Nothing'), 'unknown service or method: /Users/Nothing');
});

it('JSON that can not be parsed is said to be so, and not quoted', async (t) => {
  const serving = await serve(t, echo);
  const wire = { protocol: 'connect', http: '1.1' } as const;
  const ask = async (text: string) => {
    const headers = { 'content-type': 'application/json' };
    const { body } = await call(serving, wire, { headers, body: Buffer.from(text) });
    return JSON.parse(body).message;
  };
  const refused = 'the request is not a valid message: ';
  assert.equal(await ask('{"text":secret}'), `${refused}the JSON can't be parsed`);
  assert.equal(await ask(''), `${refused}the JSON is missing; that of an empty message is {}`);
});

it('a stream that is called with plain JSON says what is needed', async (t) => {
  const serving = await serve(t, echo);
  const ask = (method: string, type: string) =>
    call(serving, { protocol: 'connect', http: '1.1' }, { method, headers: { 'content-type': type } });
  const stream = await ask('ServerStream', 'application/json');
  assert.equal(stream.status, 415);
  assert.match(
    stream.body,
    /streams its messages.*is needed\.\nThis method takes application\/connect\+proto, /,
  );
  assert.match((await ask('Unary', 'text/html')).body, /^This method takes application\/proto, /);
});

it('bidi streaming is refused over HTTP/1.1, as it can not be had', async (t) => {
  const serving = await serve(t, echo);
  const answer = await call(serving, { protocol: 'connect', http: '1.1' }, { method: 'Bidi' });
  assert.equal(answer.status, 505);
});

it('gRPC is refused over HTTP/1.1 in its own words, and a request that is no call is told so', async (t) => {
  const serving = await serve(t, echo);
  const wire = { protocol: 'connect', http: '1.1' } as const;
  const grpc = await call(serving, wire, { headers: { 'content-type': 'application/grpc' } });
  // Headers alone, which a proxy makes HTTP/2 of again: every client of gRPC shows them.
  assert.equal(grpc.status, 200);
  assert.match(grpc.headers, /^grpc-status: 12$/m);
  assert.match(grpc.headers, /^grpc-message: .*Connect or gRPC-Web.*the container$/m);
  assert.equal(grpc.body, '');
  const page = await call(serving, wire, { method: 'Nowhere', headers: { 'content-type': 'text/html' } });
  assert.equal(page.status, 404);
  assert.match(page.body, /nothing at POST .*Besides the methods there is \/healthz, \/readyz\.\n$/);
});
