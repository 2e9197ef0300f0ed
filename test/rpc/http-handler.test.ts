// Proves that requests which a handler of plain HTTP takes have an id and a line in the log, and those it leaves get 404.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Code, ConnectError } from '@connectrpc/connect';
import { RpcServer } from '../../functions/rpc/server.ts';

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
