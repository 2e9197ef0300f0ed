// Proves that requests which a handler of plain HTTP takes have an id and a line in the log, those it leaves get 404, and
// a URL in absolute form is the same request.
import assert from 'node:assert/strict';
import http from 'node:http';
import { it } from 'node:test';
import { Code, ConnectError } from '@connectrpc/connect';
import { RpcServer } from '../../functions/rpc/server.ts';
import { serve } from './echo.ts';

it('gives each request an id and a line in the log', async () => {
  const lines: object[] = [];
  const logged = Promise.withResolvers<void>();
  const record = (line: object) => {
    lines.push(line);
    if (lines.length === 2) logged.resolve();
  };
  const server = new RpcServer({
    routes: () => {},
    log: { info: record, warn: record, error: record },
    http: (req, res) => {
      if (req.url === '/elsewhere') return false;
      res.end('answer');
      const isGood = req.url === '/good';
      return Promise.resolve(isGood ? undefined : new ConnectError('late', Code.DeadlineExceeded));
    },
  });
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  const get = (path: string) =>
    fetch(`http://127.0.0.1:${port}${path}`, { headers: { 'x-request-id': 'id-1', connection: 'close' } });
  for (const path of ['/good', '/bad']) {
    const response = await get(path);
    assert.equal(await response.text(), 'answer');
    assert.equal(response.headers.get('x-request-id'), 'id-1');
  }
  assert.equal((await get('/elsewhere')).status, 404);
  await logged.promise;
  const seen = lines.map((it) => Object.fromEntries(Object.entries(it)));
  assert.deepEqual(
    seen.map(({ method, protocol, code, requestId }) => ({ method, protocol, code, requestId })),
    [
      { method: '/good', protocol: 'http', code: 'OK', requestId: 'id-1' },
      { method: '/bad', protocol: 'http', code: 'DEADLINE_EXCEEDED', requestId: 'id-1' },
    ],
  );
  await server.close();
});

for (const path of ['http://a.example/healthz', 'HTTP://a.example:80/healthz', '/healthz']) {
  it(`finds ${path} on HTTP/1.1`, async (t) => {
    const { port } = await serve(t);
    const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
    const headers = { connection: 'close' };
    http.get({ port, host: '127.0.0.1', path, headers }, resolve).on('error', reject);
    const response = await promise;
    assert.equal(response.statusCode, 200);
    assert.equal(await response.setEncoding('utf8').reduce((all, some) => all + some, ''), 'SERVING\n');
  });
}
