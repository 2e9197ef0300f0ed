// Proves what the admin port answers, by HTTP/1.1 on a free port: metrics in both formats of Prometheus, health that a
// drain does not end, readiness with its reason, the log level and a heap snapshot; that pages of browsers, other
// hosts' names, and what is too long, too slow, too many or unknown are refused; and that other machines may read what
// is no secret, and no more.
import assert from 'node:assert/strict';
import diagnosticsChannel from 'node:diagnostics_channel';
import net from 'node:net';
import { networkInterfaces } from 'node:os';
import { text } from 'node:stream/consumers';
import { describe, it, type TestContext } from 'node:test';
import pino from 'pino';
import { AdminPort } from '../../functions/process/admin-port.ts';
import { type ProcessLimits, processLimits } from '../../functions/process/limits.ts';
import { AdminListenError } from '../../functions/process/open-admin.ts';
import { describeStartFailure } from '../../functions/process/start-failure.ts';
import { Metrics } from '../../functions/rpc/index.ts';
import { watchLeaks } from '../support/leaks.ts';
import { withPatience } from '../support/patience.ts';
import { requestHttp1 } from '../support/raw-request.ts';

interface Admin {
  readonly port: AdminPort;
  readonly url: string;
  readonly metrics: Metrics;
  readonly lines: { level: number; msg: string }[];
  /** Asks, on a connection of its own. */
  ask(method: string, path: string, headers?: Record<string, string>, body?: string): Promise<Answer>;
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

async function admin(
  t: TestContext,
  limits: Partial<ProcessLimits> = {},
  host = '127.0.0.1',
): Promise<Admin> {
  const assertNothingLeft = watchLeaks();
  const lines: Admin['lines'] = [];
  const log = pino({ level: 'info' }, { write: (line) => void lines.push(JSON.parse(line)) });
  const metrics = new Metrics();
  const port = new AdminPort({ metrics, log, limits: { ...processLimits, ...limits } });
  await port.listen({ host, port: 0 });
  t.after(async () => {
    await port.close();
    await assertNothingLeft();
  });
  const url = `http://127.0.0.1:${port.address.port}`;
  return {
    port,
    url,
    metrics,
    lines,
    async ask(method, path, headers, body) {
      const exchange = requestHttp1(url, { method, path, headers });
      exchange.request.end(body);
      exchange.read();
      assert.ok(await withPatience(exchange.ended.then(() => true)), `${method} ${path} has no answer`);
      return { status: exchange.status, headers: exchange.headers, body: String(exchange.body) };
    },
  };
}

/** A server that is well, or not. */
const health = (...problems: string[]) => ({ isShutDown: false, problems });

describe('GET', () => {
  it('/ lists what there is', async (t) => {
    const { ask } = await admin(t);
    const { status, body } = await ask('GET', '/');
    assert.equal(status, 200);
    const listed = body.split('\n').map((line) => line.split(/ +/, 2).join(' '));
    assert.deepEqual(listed.slice(0, -1), [
      'GET /metrics',
      'GET /healthz',
      'GET /readyz',
      'GET /log-level',
      'PUT /log-level',
      'POST /heap-snapshot',
    ]);
  });

  it('/metrics has the format that is accepted', async (t) => {
    const { ask, metrics } = await admin(t);
    metrics.counter('server.goaways', { description: 'GOAWAYs', unit: '{frame}' }).of({}).add(3);
    const old = await ask('GET', '/metrics');
    assert.equal(old.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
    assert.match(old.body, /^server_goaways_total 3$/m);
    assert.doesNotMatch(old.body, /# EOF/);
    const accept =
      'application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1';
    const open = await ask('GET', '/metrics', { accept });
    assert.match(String(open.headers['content-type']), /^application\/openmetrics-text; version=1\.0\.0/);
    assert.match(open.body, /^server_goaways_total 3$[\s\S]*# EOF\n$/m);
  });

  it('/healthz and /readyz tell a start, a service that is out, and a drain', async (t) => {
    const { ask, port } = await admin(t);
    const both = async () => {
      const [live, ready] = [await ask('GET', '/healthz'), await ask('GET', '/readyz')];
      return `${live.status} ${live.body}${ready.status} ${ready.body}`;
    };
    assert.equal(await both(), '200 SERVING\n503 NOT_READY: it is starting\n');
    port.show(health());
    assert.equal(await both(), '200 SERVING\n200 READY\n');
    port.show(health('Users does not serve: the disk\nis full', 'Other does not serve'));
    const why = 'Users does not serve: the disk is full; Other does not serve';
    assert.equal(await both(), `200 SERVING\n503 NOT_READY: ${why}\n`);
    port.show({ isShutDown: true, problems: ['it is draining'] });
    assert.equal(await both(), '200 DRAINING\n503 NOT_READY: it is draining\n');
    assert.deepEqual((await ask('HEAD', '/readyz')).body, '');
  });
});

it('PUT /log-level changes the level, and the log says so at whichever level shows it', async (t) => {
  const { ask, lines } = await admin(t);
  assert.equal((await ask('GET', '/log-level')).body, 'info\n');
  for (const level of ['debug\n', 'silent', 'error', 'silent', 'fatal', 'error', 'info']) {
    const { status, body } = await ask('PUT', '/log-level', {}, level);
    assert.deepEqual([status, body.trim()], [200, level.trim()]);
  }
  const { status, body } = await ask('PUT', '/log-level', {}, 'loud');
  assert.deepEqual(
    [status, body],
    [400, 'The body must be one of trace, debug, info, warn, error, fatal, silent.\n'],
  );
  assert.equal((await ask('GET', '/log-level')).body, 'info\n');
  const changes = lines.map((it) => ({ ...it, time: undefined, pid: undefined, hostname: undefined }));
  const change = (from: string, to: string, level = 40) => ({
    level,
    from,
    to,
    msg: 'the log level was changed',
    time: undefined,
    pid: undefined,
    hostname: undefined,
  });
  assert.deepEqual(changes, [
    change('info', 'debug'),
    change('debug', 'silent'),
    // Neither level shows warnings.
    change('silent', 'error', 50),
    change('error', 'silent', 50),
    change('silent', 'fatal', 60),
    change('fatal', 'error', 50),
    change('error', 'info'),
  ]);
});

it('POST /heap-snapshot streams one, and the next one has to wait', async (t) => {
  const { ask, url } = await admin(t, { heapSnapshotPauseMs: 3_600_000 });
  const exchange = requestHttp1(url, { path: '/heap-snapshot' });
  exchange.request.end();
  await exchange.responded;
  assert.equal(exchange.status, 200);
  assert.equal((await ask('POST', '/heap-snapshot')).status, 429, 'one is under way');
  exchange.read();
  assert.ok(
    await withPatience(
      exchange.ended.then(() => true),
      60_000,
    ),
  );
  assert.ok(Array.isArray(JSON.parse(String(exchange.body)).nodes));
  const next = await ask('POST', '/heap-snapshot');
  assert.equal(next.status, 429);
  assert.match(String(next.headers['retry-after']), /^3[0-6]\d\d$/, 'of an hour');
});

it('a heap snapshot that nobody reads is given up, and another can be taken', async (t) => {
  const { url } = await admin(t, { heapSnapshotPauseMs: 0, adminTimeoutMs: 200 });
  const unread = requestHttp1(url, { path: '/heap-snapshot' });
  unread.request.end();
  await unread.responded;
  const isTaken = async () => {
    const exchange = requestHttp1(url, { path: '/heap-snapshot' });
    exchange.request.end();
    await exchange.responded;
    exchange.request.destroy();
    return exchange.status === 200;
  };
  const again = async (): Promise<true> => (await isTaken()) || again();
  assert.ok(await withPatience(again(), 60_000));
  unread.request.destroy();
});

it('a heap snapshot of which nothing is read for the time is given up at once', async (t) => {
  const { url } = await admin(t, { heapSnapshotPauseMs: 0 });
  const unread = requestHttp1(url, { path: '/heap-snapshot' });
  t.mock.timers.enable({ apis: ['setTimeout'] });
  unread.request.end();
  await unread.responded;
  t.mock.timers.tick(processLimits.adminTimeoutMs);
  t.mock.timers.reset();
  unread.read();
  assert.ok(
    await withPatience(
      unread.closed.then(() => true),
      60_000,
    ),
  );
  assert.ok(unread.error !== undefined, 'it is cut: node itself would wait for 20 s');
});

describe('refuses', () => {
  for (const [what, headers, said] of [
    ['a name that was rebound to this machine', { host: 'page.example:9464' }, /another host/],
    ['a page that does not read the answer', { origin: 'https://page.example' }, /Pages of a browser/],
    ['an image of a page', { 'sec-fetch-site': 'cross-site' }, /Pages of a browser/],
  ] as const) {
    it(what, async (t) => {
      const { ask } = await admin(t);
      for (const [method, path] of [
        ['GET', '/metrics'],
        ['POST', '/heap-snapshot'],
        ['GET', '/'],
      ] as const) {
        const { status, body } = await ask(method, path, headers);
        assert.equal(status, 403, path);
        assert.match(body, said);
      }
    });
  }

  it('to change anything by a proxy on this machine, which may let in anybody', async (t) => {
    const { ask } = await admin(t);
    for (const name of ['x-forwarded-for', 'X-Forwarded-Host', 'forwarded', 'via', 'x-real-ip']) {
      const headers = { host: 'localhost', [name]: '192.0.2.1' };
      assert.equal((await ask('PUT', '/log-level', headers, 'debug')).status, 403, name);
      assert.equal((await ask('POST', '/heap-snapshot', headers)).status, 403, name);
      assert.equal((await ask('GET', '/metrics', headers)).status, 200, name);
      assert.equal((await ask('GET', '/metrics', { ...headers, host: 'page.example' })).status, 403, name);
    }
    assert.equal((await ask('GET', '/log-level')).body, 'info\n');
  });

  it('what there is not, and what is too long', async (t) => {
    const { ask } = await admin(t);
    const nothing = await ask('GET', '/Users/CreateUser');
    assert.equal(nothing.status, 404);
    assert.match(nothing.body, /GET \/metrics/);
    const post = await ask('POST', '/log-level', {}, 'debug');
    assert.deepEqual([post.status, post.headers.allow], [405, 'GET, PUT']);
    assert.equal((await ask('PUT', '/log-level', {}, 'x'.repeat(2000))).status, 413);
    assert.equal((await ask('GET', '/', { 'x-long': 'x'.repeat(20_000) })).status, 431);
  });

  it('what comes behind a request on its connection, also behind one that is refused', async (t) => {
    const { port, ask, lines } = await admin(t);
    const { port: at } = port.address;
    const change = 'PUT /log-level HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n\r\ndebug';
    for (const [first, status] of [
      ['GET /log-level HTTP/1.1\r\nhost: page.example\r\n\r\n', 403],
      [`PUT /log-level HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2000\r\n\r\n${'x'.repeat(2000)}`, 413],
      ['GET /log-level HTTP/1.1\r\nhost: localhost\r\n\r\n', 200],
    ] as const) {
      const socket = net.connect(at, '127.0.0.1');
      socket.write(first + change.repeat(3));
      const answers = await withPatience(text(socket));
      assert.match(answers ?? '', new RegExp(`^HTTP/1.1 ${status} (?![^]*HTTP/1.1)`));
    }
    assert.equal((await ask('GET', '/log-level')).body, 'info\n');
    assert.deepEqual(lines, []);
  });

  it('a request a byte at a time, and connections beyond the limit', async (t) => {
    const { port } = await admin(t, { adminTimeoutMs: 200, maxAdminConnections: 1 });
    const connect = (said: string) => {
      const socket = net.connect(port.address.port, '127.0.0.1');
      socket.on('error', () => {}); // it may be reset
      socket.write(said);
      return socket;
    };
    const slow = connect('GET / HTT');
    const second = connect('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n');
    assert.equal(await text(second).catch(() => ''), '', 'one is open already');
    assert.ok((await withPatience(text(slow))) !== undefined, 'it is cut');
  });
});

describe('other machines', () => {
  const own = Object.values(networkInterfaces())
    .flat()
    .find((it) => it?.family === 'IPv4' && !it.internal)?.address;
  const skip = own === undefined && 'no other address';
  const remote = async (t: TestContext) => {
    const { port, lines } = await admin(t, {}, '0.0.0.0');
    assert.match(lines[0]?.msg ?? '', /other machines may read the admin port/);
    const url = `http://${own}:${port.address.port}`;
    return async (method: string, path: string, headers: Record<string, string>) => {
      const exchange = requestHttp1(url, { method, path, headers }, { localAddress: own });
      exchange.request.end(method === 'PUT' ? 'debug' : undefined);
      exchange.read();
      await exchange.ended;
      return exchange.status;
    };
  };

  it('may read, by any name, and change nothing', { skip }, async (t) => {
    const ask = await remote(t);
    const headers = {
      host: 'users.internal:9464',
      'user-agent': 'Prometheus/3.5.0',
      'accept-encoding': 'gzip',
    };
    assert.equal(await ask('GET', '/metrics', headers), 200);
    assert.equal(await ask('GET', '/log-level', headers), 200);
    assert.equal(await ask('PUT', '/log-level', headers), 403);
    assert.equal(await ask('POST', '/heap-snapshot', headers), 403);
  });

  it('have browsers, which may read by an address alone: a page may have rebound its name', {
    skip,
  }, async (t) => {
    const ask = await remote(t);
    // What Chromium sends at least, whatever the page sets.
    const browser = { 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64)', 'accept-language': '' };
    assert.equal(await ask('GET', '/metrics', { ...browser, host: `${own}:9464` }), 200);
    const host = 'page.example:9464';
    assert.equal(await ask('GET', '/metrics', { ...browser, host }), 403);
    assert.equal(await ask('GET', '/metrics', { 'accept-language': 'en', host }), 403);
    assert.equal(await ask('GET', '/metrics', { 'user-agent': browser['user-agent'], host }), 403);
  });
});

it('a connection that can not be accepted ends nothing, and the log has it', async (t) => {
  let server: net.Server | undefined;
  const onListen = (message: unknown) => {
    ({ server } = message as { server: net.Server }); // https://nodejs.org/api/diagnostics_channel.html#net
  };
  diagnosticsChannel.subscribe('tracing:net.server.listen:asyncStart', onListen);
  t.after(() => diagnosticsChannel.unsubscribe('tracing:net.server.listen:asyncStart', onListen));
  const { ask, lines } = await admin(t);
  server?.emit('error', Object.assign(new Error('accept EMFILE'), { code: 'EMFILE' }));
  assert.equal((await ask('GET', '/healthz')).status, 200);
  assert.deepEqual(
    lines.map(({ level, msg }) => [level, msg]),
    [[50, 'a connection to the admin port could not be accepted']],
  );
});

it('a port in use is a line that names the setting', async (t) => {
  const { port, metrics } = await admin(t);
  const at = { host: '127.0.0.1', port: port.address.port };
  const second = new AdminPort({ metrics, log: pino({ level: 'silent' }), limits: processLimits });
  await assert.rejects(second.listen(at), (error) => {
    assert.ok(error instanceof AdminListenError);
    const line = `The port ${at.port} of 127.0.0.1 is in use: end the program that listens there, or set ADMIN_PORT.`;
    assert.equal(describeStartFailure(error, {}), line);
    return true;
  });
});
