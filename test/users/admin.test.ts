// Proves, with the process, that its admin port is there before the service and until the end of a drain, that none of
// it is on the public port, and that a port which can't be had is one line that names the setting.
import assert from 'node:assert/strict';
import net from 'node:net';
import { it } from 'node:test';
import { runMain } from '../support/process.ts';

const get = async (port: unknown, path: string, method = 'GET') => {
  const headers = { connection: 'close' };
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method, headers });
  return `${answer.status} ${await answer.text()}`;
};

it('a drain can be watched, and the public port has nothing of it', async (t) => {
  const main = runMain(t, { ADMIN_PORT: '0', DRAIN_DELAY_MS: '60000' });
  const { port, adminPort } = await main.line('listening');
  assert.equal(await get(adminPort, '/readyz'), '200 READY\n');
  assert.match(await get(adminPort, '/metrics'), /^users_passwords_hashing 0$/m);
  for (const [method, path] of [
    ['GET', '/metrics'],
    ['GET', '/log-level'],
    ['PUT', '/log-level'],
    ['POST', '/heap-snapshot'],
  ] as const) {
    assert.match(await get(port, path, method), /^40[45] /, path);
  }
  main.child.kill('SIGTERM');
  await main.line('draining');
  assert.equal(await get(adminPort, '/healthz'), '200 DRAINING\n');
  assert.equal(await get(adminPort, '/readyz'), '503 NOT_READY: it is draining\n');
  assert.deepEqual(
    [await get(port, '/healthz'), await get(port, '/readyz')],
    ['503 NOT_SERVING\n', '503 NOT_READY\n'],
  );
});

it('is there only if it is asked for, and goes with the process', async (t) => {
  const main = runMain(t);
  assert.ok(!('adminPort' in (await main.line('listening'))));
  await main.stop();
  const other = runMain(t, { ADMIN_PORT: '0' });
  await other.line('listening');
  await other.stop();
});

it('a port in use ends the start with a line', async (t) => {
  const taken = net.createServer().listen(0, '127.0.0.1');
  t.after(() => taken.close());
  await new Promise((resolve) => taken.once('listening', resolve));
  const { port } = taken.address() as net.AddressInfo; // of a listening TCP server
  const main = runMain(t, { ADMIN_PORT: String(port) });
  assert.equal((await main.ended).code, 1);
  const line = `The port ${port} of 127.0.0.1 is in use: end the program that listens there, or set ADMIN_PORT.\n`;
  assert.equal(main.errors(), line);
});
