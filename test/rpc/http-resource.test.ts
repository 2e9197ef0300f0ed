// Proves that requests of a resource are calls like any other: they have an id, a deadline, a line in the log, an end
// at the drain, and calls of their own within the process; that an HTTP method that is not its own gets 405; that a
// client which reads slowly is waited for; that a resource sends text, bytes and headers of its own; and that a URL in
// absolute form is the same request.
import assert from 'node:assert/strict';
import http from 'node:http';
import { it } from 'node:test';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import type { HttpResource } from '../../functions/rpc/index.ts';
import { all } from '../support/outcome.ts';
import { requestHttp1 } from '../support/raw-request.ts';
import { serve } from './echo.ts';
import { Echo } from './gen/echo_pb.js';

/** A resource that answers as the test says. */
function resource(answer: HttpResource['answer'], rest: Partial<HttpResource> = {}): HttpResource {
  return {
    paths: ['/here'],
    methods: ['GET'],
    headers: ['content-type', 'text/plain'],
    answer,
    errorText: ({ rawMessage }) => `error: ${rawMessage}\n`,
    ...rest,
  };
}

it('gives each request an id, the deadline it asks for, and a line in the log', async (t) => {
  const answer: HttpResource['answer'] = async ({ query }, response) => {
    if (query.has('bad')) throw new ConnectError('no', Code.NotFound);
    response.send('answer\n');
  };
  const askedMs = (query: URLSearchParams) => (query.has('ms') ? Number(query.get('ms')) : undefined);
  const serving = await serve(t, {}, { http: () => [resource(answer, { askedMs })] });
  const get = async (query: string) => {
    const headers = { 'x-request-id': `id-${query}`, connection: 'close' };
    const response = await fetch(`${serving.url}/here?${query}`, { headers });
    const line = await serving.line(({ requestId }) => requestId === `id-${query}`);
    const { method, protocol, code, deadlineMs } = line;
    return [response.status, await response.text(), { method, protocol, code, deadlineMs }];
  };
  const line = { method: '/here', protocol: 'http', deadlineMs: serving.limits.defaultDeadlineMs };
  assert.deepEqual(await get('good'), [200, 'answer\n', { ...line, code: 'OK' }]);
  assert.deepEqual(await get('bad'), [404, 'error: no\n', { ...line, code: 'NOT_FOUND' }]);
  // The log has it to the microsecond.
  const rounded = { ...line, code: 'OK', deadlineMs: 5000.123 };
  assert.deepEqual(await get('ms=5000.12345'), [200, 'answer\n', rounded]);
});

it('refuses HTTP methods that are not its own, and paths that are nobody’s', async (t) => {
  const { url } = await serve(t, {}, { http: () => [resource(async () => {})] });
  const post = await fetch(`${url}/here`, { method: 'POST', headers: { connection: 'close' } });
  assert.deepEqual([post.status, post.headers.get('allow')], [405, 'GET']);
  const elsewhere = await fetch(`${url}/elsewhere`, { headers: { connection: 'close' } });
  assert.deepEqual(
    [elsewhere.status, await elsewhere.text()],
    [404, 'There is nothing at GET /elsewhere. Besides the methods there is /healthz, /readyz, /here.\n'],
  );
});

it('leads people on whose path is nobody’s, and to no part of a place', async (t) => {
  const part = { ...resource(async () => {}), paths: ['/part'], isPart: true };
  const { url } = await serve(t, {}, { http: () => [resource(async () => {}), part] });
  const response = await fetch(`${url}/<b>`, { headers: { accept: 'text/html', connection: 'close' } });
  const page = await response.text();
  assert.equal(response.status, 404);
  assert.ok(page.includes('<li><a href="/here">/here</a></li>'));
  assert.ok(!page.includes('/part') && !page.includes('<b>'));
});

it('counts the parameters of a query before it makes them', async (t) => {
  const answer: HttpResource['answer'] = async ({ query }, response) => void response.send(`${query.size}\n`);
  const serving = await serve(t, {}, { http: () => [resource(answer)], limits: { maxQueryParameters: 3 } });
  const get = async (query: string) => {
    const response = await fetch(`${serving.url}/here?${query}`, { headers: { connection: 'close' } });
    return [response.status, await response.text()];
  };
  assert.deepEqual(await get('a=1&a=2&a=3'), [200, '3\n']);
  assert.deepEqual(await get('a=1&a=2&a=3&a=4'), [
    400,
    'error: the query of the URL is not valid: at most 3 parameters\n',
  ]);
});

it('ends in time, with a status, whatever the resource does', async (t) => {
  const answer: HttpResource['answer'] = async (_request, response) => {
    response.send('begun\n');
    await new Promise(() => {});
  };
  const { url, line } = await serve(t, {}, { http: () => [resource(answer, { askedMs: () => 50 })] });
  const response = await fetch(`${url}/here`, { headers: { connection: 'close' } });
  assert.equal(await response.text(), 'begun\nerror: the deadline passed before the call was done\n');
  await line(({ code }) => code === 'DEADLINE_EXCEEDED');
});

it('calls methods of its own server, under its id and deadline', async (t) => {
  const serving = await serve(
    t,
    {
      async *serverStream({ count }, { requestHeader, timeoutMs }) {
        const id = requestHeader.get('x-request-id');
        const left = timeoutMs() ?? 0;
        for (let index = 0; index < count; index++)
          yield { text: `${id} ${left > 0 && left <= 5000}`, index };
      },
    },
    {
      http: (local) => [
        resource(
          async (request, response) => {
            const echo = createClient(Echo, local);
            for (const { text } of await all(echo.serverStream({ count: 2 }, request.callOptions()))) {
              response.send(`${text}\n`);
            }
          },
          { askedMs: () => 5000 },
        ),
      ],
    },
  );
  const headers = { 'x-request-id': 'outer', connection: 'close' };
  const response = await fetch(`${serving.url}/here`, { headers });
  assert.equal(await response.text(), 'outer true\nouter true\n');
  const inner = await serving.line(({ protocol }) => protocol === 'local');
  assert.deepEqual(
    [inner.method, inner.code, inner.requestId],
    ['/test.echo.v1.Echo/ServerStream', 'OK', 'outer'],
  );
});

it('ends calls of its own that it has not read to their end', async (t) => {
  const serving = await serve(
    t,
    {
      async *serverStream() {
        for (;;) yield { text: 'again' };
      },
    },
    {
      http: (local) => [
        resource(async (request, response) => {
          for await (const { text } of createClient(Echo, local).serverStream({}, request.callOptions())) {
            response.send(`${text}\n`);
            break;
          }
        }),
      ],
    },
  );
  const response = await fetch(`${serving.url}/here`, { headers: { connection: 'close' } });
  assert.equal(await response.text(), 'again\n');
  const codeOf = async (name: string) => (await serving.line(({ protocol }) => protocol === name)).code;
  assert.deepEqual([await codeOf('http'), await codeOf('local')], ['OK', 'CANCELLED']);
});

it('waits for a client that reads slowly', async (t) => {
  const text = 'x'.repeat(1023);
  let sent = 0;
  const answer: HttpResource['answer'] = async ({ signal }, response) => {
    for (; sent < 100_000 && !signal.aborted; sent++) await response.send(`${text}\n`);
  };
  const serving = await serve(t, {}, { http: () => [resource(answer)] });
  const request = requestHttp1(serving.url, { method: 'GET', path: '/here' });
  request.request.end();
  await request.responded;
  // Once the connection is full, the resource gets nothing out any more: two looks find the same.
  let seen = -1;
  while (seen !== sent) {
    seen = sent;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.ok(sent < 100_000, 'all of it was taken, though nobody reads');
  request.request.destroy();
  await serving.line(({ code }) => code === 'CANCELLED');
});

for (const path of ['http://a.example/healthz', 'HTTP://a.example:80/healthz', '/healthz']) {
  it(`finds ${path} on HTTP/1.1`, async (t) => {
    const { port } = await serve(t);
    const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
    const headers = { connection: 'close' };
    http.get({ port, host: '127.0.0.1', path, headers }, resolve).on('error', reject);
    const response = await promise;
    assert.equal(response.statusCode, 200);
    assert.equal(await response.setEncoding('utf8').reduce((text, some) => text + some, ''), 'SERVING\n');
  });
}

it('sends bytes and headers of its own, and none of those with an error', async (t) => {
  const bytes = Uint8Array.from({ length: 300_000 }, (_, at) => at % 251);
  const answer: HttpResource['answer'] = async ({ query }, response) => {
    response.setHeader('content-type', 'application/octet-stream');
    response.setHeader('content-length', String(bytes.length + 6));
    if (query.has('fails')) throw new ConnectError('no', Code.NotFound);
    response.send('before');
    await response.send(bytes);
  };
  const errorText: HttpResource['errorText'] = (error, request, response) => {
    response.setHeader('x-status', `${response.status} ${response.isBegun}`);
    return `${request.requestId}: ${error.rawMessage}\n`;
  };
  const { url } = await serve(t, {}, { http: () => [resource(answer, { errorText })] });
  const got = await fetch(`${url}/here`, { headers: { connection: 'close' } });
  assert.equal(got.headers.get('content-type'), 'application/octet-stream');
  assert.deepEqual(Buffer.from(await got.arrayBuffer()), Buffer.concat([Buffer.from('before'), bytes]));

  const failed = await fetch(`${url}/here?fails`, {
    headers: { connection: 'close', 'x-request-id': 'mine' },
  });
  assert.deepEqual(
    [failed.status, failed.headers.get('content-type'), failed.headers.get('x-status'), await failed.text()],
    [404, 'text/plain', '404 false', 'mine: no\n'],
  );
});

it('has an error at the end of what was sent before', async (t) => {
  const answer: HttpResource['answer'] = async (_request, response) => {
    await response.send(Buffer.from('bytes, then '));
    throw new ConnectError('no', Code.NotFound);
  };
  const errorText: HttpResource['errorText'] = (_error, _request, { status, isBegun }) =>
    `${status} ${isBegun}`;
  const { url } = await serve(t, {}, { http: () => [resource(answer, { errorText })] });
  const got = await fetch(`${url}/here`, { headers: { connection: 'close' } });
  assert.deepEqual([got.status, await got.text()], [200, 'bytes, then 200 true']);
});
