// Proves, with real processes of a second service, that WORKERS has several of them share a port of any kind; that a
// signal drains all and fails no call, and a second one ends all; that one that dies is started again, each time later,
// and takes no other's calls along; that a start that can't be is told once, with its exit code; and that nothing
// outlives the first process.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { createClient } from '@connectrpc/connect';
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node';
import { restartDelayMs } from '../../functions/process/worker-pool.ts';
import { Echo } from '../rpc/gen/echo_pb.js';
import { createAuthority } from '../support/certificates.ts';
import { eventually, withPatience } from '../support/patience.ts';
import { fromHere, root, runMain, type ServerProcess } from '../support/process.ts';

const service = 'test/process/second-service.ts';
const started = 'all workers listen';
const ended = 'a worker has ended, and is started again';

const run = (t: TestContext, settings: Record<string, string> = {}) =>
  runMain(t, { WORKERS: '2', ...settings }, service);

type NodeOptions = ConstructorParameters<typeof Http2SessionManager>[2];

/** A client with a connection of its own. */
function connect(t: TestContext, baseUrl: string, nodeOptions?: NodeOptions) {
  const sessionManager = new Http2SessionManager(baseUrl, undefined, nodeOptions);
  t.after(() => sessionManager.abort());
  return createClient(Echo, createGrpcTransport({ baseUrl, sessionManager }));
}

type Client = ReturnType<typeof connect>;

/** A call that is under way until it is ended; it resolves with the number of its process. */
async function openCall(client: Client, main: ServerProcess, name: string) {
  const { promise, resolve } = Promise.withResolvers<void>();
  async function* requests() {
    yield { text: name };
    await promise;
  }
  const answer = client.clientStream(requests()).then(({ text }) => Number(text));
  // For tests in which it fails before anybody waits for it.
  answer.catch(() => {});
  await main.line(name);
  return { answer, end: resolve };
}

/** A call on each of two workers: connections are dealt out in turn. */
async function openCalls(t: TestContext, main: ServerProcess) {
  const url = await main.url();
  await main.line(started);
  const calls = [];
  for (const name of ['a call', 'another call']) {
    const client = connect(t, url);
    const call = await openCall(client, main, name);
    const { worker } = await main.line(name);
    calls.push({ client, ...call, worker: Number(worker) });
  }
  const [one, other] = calls;
  assert.ok(one && other && one.worker !== other.worker, JSON.stringify(main.lines()));
  return [one, other] as const;
}

const pidsOf = async (main: ServerProcess) => {
  const lines = [1, 2].map((worker) => main.line('listening', { worker }));
  return (await Promise.all(lines)).map(({ pid }) => Number(pid));
};

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

const areGone = (pids: readonly number[]) => eventually(() => !pids.some(isAlive));

describe('two workers share', () => {
  const folder = mkdtempSync(join(tmpdir(), 'workers-'));
  const kinds: Record<string, () => Promise<{ settings?: Record<string, string>; options?: NodeOptions }>> = {
    'a port': async () => ({}),
    'a port with TLS': async () => {
      const authority = await createAuthority();
      const { cert, key } = await authority.issue({ ip: ['127.0.0.1'] });
      const settings = { TLS_CERT_FILE: join(folder, 'cert.pem'), TLS_KEY_FILE: join(folder, 'key.pem') };
      writeFileSync(settings.TLS_CERT_FILE, cert);
      writeFileSync(settings.TLS_KEY_FILE, key);
      return { settings, options: { ca: authority.ca } };
    },
    'a socket of the machine, in place of one that was left': async () => {
      const path = join(folder, 'socket');
      const { child } = leaveSocket(path);
      await once(child, 'close');
      return { settings: { HOST: `unix:${path}` }, options: { createConnection: () => net.connect(path) } };
    },
  };

  for (const [what, make] of Object.entries(kinds)) {
    it(what, async (t) => {
      const { settings, options } = await make();
      const main = run(t, settings);
      const { port } = await main.line('listening', { worker: 1 });
      assert.equal((await main.line('listening', { worker: 2 })).port, port);
      await main.line(started);
      const base = `${settings?.TLS_KEY_FILE ? 'https' : 'http'}://127.0.0.1:${port ?? 1}`;
      for (let call = 0; call < 4; call += 1) {
        assert.equal((await connect(t, base, options).unary({ text: 'tom' })).text, 'hello tom');
      }
      await main.stop();
      const workers = main.lines().flatMap(({ method, worker }) => (method === undefined ? [] : [worker]));
      assert.deepEqual(workers.sort(), [1, 1, 2, 2]);
      assert.equal(main.errors(), '');
    });
  }

  it('and the folder of the test goes', () => rmSync(folder, { recursive: true }));
});

/** A process that listens at a socket, and is killed while it does. */
function leaveSocket(path: string) {
  const script = 'require("net").createServer().listen(process.argv[1], () => process.kill(process.pid, 9))';
  return { child: spawn(process.execPath, ['-e', script, path], { stdio: 'inherit' }) };
}

it('a connection that finds no room is closed, and does not go round among the workers', async (t) => {
  const main = run(t, { MAX_CONNECTIONS: '1' });
  const calls = await openCalls(t, main);
  const { port } = await main.line('listening');
  const third = net.connect(Number(port), '127.0.0.1').resume();
  t.after(() => third.destroy());
  assert.ok(await withPatience(once(third, 'close')));
  for (const call of calls) call.end();
  await Promise.all(calls.map((it) => it.answer));
  await main.stop();
});

describe('a signal', () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`${signal} drains all`, async (t) => {
      const main = run(t);
      const calls = await openCalls(t, main);
      const pids = await pidsOf(main);
      main.child.kill(signal);
      await Promise.all([1, 2].map((worker) => main.line('draining', { worker })));
      for (const call of calls) call.end();
      const answers = await Promise.all(calls.map((it) => it.answer));
      assert.deepEqual(answers.sort(), pids.sort());
      assert.deepEqual(await main.ended, { code: 0, signal: null });
      const drained = main.lines().filter(({ msg }) => msg === 'drained');
      assert.deepEqual(drained.map(({ worker }) => worker).sort(), [1, 2, undefined]);
      assert.equal(main.errors(), '');
    });
  }

  it('that reaches the workers too is one, as Ctrl-C is, however late the first process passes it on', async (t) => {
    const main = run(t);
    const calls = await openCalls(t, main);
    const pids = await pidsOf(main);
    for (const pid of pids) process.kill(pid, 'SIGINT');
    await Promise.all([1, 2].map((worker) => main.line('draining', { worker })));
    // Signals of one process are the same for this long.
    await new Promise((resolve) => setTimeout(resolve, 300));
    main.child.kill('SIGINT');
    await main.line('draining', { worker: undefined });
    for (const call of calls) call.end();
    await Promise.all(calls.map((it) => it.answer));
    assert.deepEqual(await main.ended, { code: 0, signal: null });
  });

  it('that comes a second time ends all at once', async (t) => {
    const main = run(t);
    const calls = await openCalls(t, main);
    const pids = await pidsOf(main);
    const failed = Promise.all(calls.map((it) => assert.rejects(it.answer)));
    main.child.kill('SIGTERM');
    await Promise.all([1, 2].map((worker) => main.line('draining', { worker })));
    await new Promise((resolve) => setTimeout(resolve, 300));
    main.child.kill('SIGTERM');
    assert.deepEqual(await main.ended, { code: 1, signal: null });
    await failed;
    assert.ok(await areGone(pids));
  });

  it('ends workers that only start', async (t) => {
    const main = run(t, { ECHO_START: 'hang' });
    await main.line('starting');
    main.child.kill('SIGTERM');
    assert.deepEqual(await main.ended, { code: 0, signal: null });
  });

  it('that reaches workers too ends well while they do not handle it yet', async (t) => {
    const main = run(t, { NODE_OPTIONS: `--import=${import.meta.dirname}/slow-start.ts` });
    await main.line('a worker begins');
    const { pid } = main.lines().find(({ msg }) => msg === 'a worker begins') ?? {};
    process.kill(Number(pid), 'SIGTERM');
    assert.deepEqual(await main.ended, { code: 0, signal: null });
    assert.equal(main.errors(), '');
  });

  it('that the first process can not pass on, SIGKILL, drains the workers', async (t) => {
    const main = run(t);
    const calls = await openCalls(t, main);
    const pids = await pidsOf(main);
    main.child.kill('SIGKILL');
    await once(main.child, 'exit');
    for (const call of calls) call.end();
    const answers = await Promise.all(calls.map((it) => it.answer));
    assert.deepEqual(answers.sort(), pids.sort());
    assert.ok(await areGone(pids));
  });
});

describe('a worker that dies', () => {
  it('is started again, and takes no call of another along', async (t) => {
    const main = run(t);
    const [call, other] = await openCalls(t, main);
    const { worker } = call;
    const pid = Number((await main.line('listening', { worker })).pid);
    const failed = assert.rejects(call.answer);
    process.kill(pid, 'SIGKILL');
    await failed;
    const { restartMs, ...line } = await main.line(ended);
    assert.partialDeepStrictEqual(line, { worker, pid, code: null, signal: 'SIGKILL' });
    assert.equal(restartMs, restartDelayMs(1));
    // The other serves meanwhile, and its calls go on.
    assert.equal((await other.client.unary({ text: 'tom' })).text, 'hello tom');
    const isBack = () =>
      main.lines().filter((it) => it.msg === 'listening' && it.worker === worker).length > 1;
    assert.ok(await eventually(isBack));
    other.end();
    const { pid: otherPid } = await main.line('listening', { worker: other.worker });
    assert.equal(await other.answer, otherPid);
    await main.stop();
  });

  it('again and again is started later each time', async (t) => {
    const main = run(t);
    const url = await main.url();
    await main.line(started);
    const told = (message: string) => main.lines().filter(({ msg }) => msg === message);
    const pauses = () => told(ended);
    for (let deaths = 1; deaths <= 5; deaths += 1) {
      await assert.rejects(connect(t, url).unary({ text: 'exit' }));
      assert.ok(await eventually(() => told('listening').length === 2 + deaths));
    }
    assert.equal(pauses().length, 5);
    for (const worker of [1, 2]) {
      const some = pauses().filter((it) => it.worker === worker);
      assert.deepEqual(
        some.map((it) => it.restartMs),
        some.map((_, index) => restartDelayMs(index + 1)),
      );
      for (const { code } of some) assert.equal(code, 7);
    }
    await main.stop();
  });

  it('together with all others is started again at the port that the system chose', async (t) => {
    const main = run(t);
    const url = await main.url();
    await main.line(started);
    for (const pid of await pidsOf(main)) process.kill(pid, 'SIGKILL');
    const listening = () => main.lines().filter(({ msg }) => msg === 'listening');
    assert.ok(await eventually(() => listening().length === 4));
    assert.deepEqual([...new Set(listening().map(({ port }) => port))], [Number(new URL(url).port)]);
    assert.equal((await connect(t, url).unary({ text: 'tom' })).text, 'hello tom');
    await main.stop();
  });

  it('waits twice as long each time, and half a minute at most', () => {
    const delays = Array.from({ length: 2000 }, (_, index) => restartDelayMs(index + 1));
    assert.deepEqual(delays.slice(0, 10), [100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000]);
    assert.ok(delays.slice(9).every((it) => it === 30_000));
  });

  it('and can not start again is tried again while another serves; without another, all ends', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'workers-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const hindrance = join(folder, 'hindrance');
    const main = run(t, { ECHO_HINDRANCE: hindrance });
    await main.line(started);
    writeFileSync(hindrance, '');
    const [first = 0, second = 0] = await pidsOf(main);
    process.kill(second, 'SIGKILL');
    await main.line(ended, { worker: 2, code: 1 });
    process.kill(first, 'SIGKILL');
    assert.deepEqual(await main.ended, { code: 1, signal: null });
    assert.match(main.errors(), /^(ECHO_GREETING must be kind\n)+$/);
  });
});

describe('a start that can not be is told once, with its exit code:', () => {
  const cases: [string, Record<string, string>, RegExp][] = [
    ['bad settings', { PORT: 'x', ECHO_START: 'y' }, /^PORT must be [^\n]*\nECHO_START must be [^\n]*\n$/],
    ['a bad number', { WORKERS: '0' }, /^WORKERS must be auto or a whole number from 1 to 256, not "0"\n$/],
    ['what a person can mend', { ECHO_START: 'mend' }, /^ECHO_GREETING must be kind\n$/],
    ['a socket without a folder', { HOST: 'unix:/no/such' }, /^The folder \/no does not exist[^\n]*\n$/],
    ['another address', { HOST: '192.0.2.1', AUTH: 'none' }, /^192.0.2.1 is not an address[^\n]*\n$/],
  ];
  for (const [what, settings, expected] of cases) {
    it(what, async (t) => {
      const main = run(t, settings);
      assert.deepEqual(await main.ended, { code: 1, signal: null });
      assert.match(main.errors(), expected);
    });
  }

  it('a port in use', async (t) => {
    const other = net.createServer().listen(0, '127.0.0.1');
    t.after(() => other.close());
    await once(other, 'listening');
    const { port } = other.address() as net.AddressInfo; // of a TCP server that listens
    const main = run(t, { PORT: String(port) });
    assert.deepEqual(await main.ended, { code: 1, signal: null });
    assert.match(main.errors(), /^The port \d+ of 127.0.0.1 is in use[^\n]*\n$/);
  });
});

it('one worker is one process, which loads nothing of several', async () => {
  const loaded = `
    await import(${JSON.stringify(join(root, 'functions/process/workers.ts'))});
    console.log(process.moduleLoadList.includes('NativeModule cluster'));`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', loaded], {
    env: fromHere(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const chunks = await child.stdout.setEncoding('utf8').toArray();
  assert.equal(chunks.join(''), 'false\n');
});
