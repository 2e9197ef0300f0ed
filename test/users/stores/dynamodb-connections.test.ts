// The DynamoDB client keeps its connections and uses them again, in plain text and with TLS, gives them up when they
// are old, and leaves hosts that drop connections, are slow or gone for those that DynamoDB's name stands for by then.
import assert from 'node:assert/strict';
import dns from 'node:dns';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import tls from 'node:tls';
import { limits } from '../../../functions/limits.ts';
import { noEvents } from '../../../functions/users/store.ts';
import { DynamoClient } from '../../../functions/users/stores/dynamodb-client.ts';
import { createAuthority } from '../../support/certificates.ts';
import { listen } from '../../support/listener.ts';
import { unbounded } from './contract-setting.ts';
import { environment, ok, scripted, setEnvironment } from './dynamodb-scripted.ts';

const describe = { TableName: 'users' };

/** Gives a name an address, as long as the test lasts. */
function resolve(context: TestContext, name: string, address: () => string): void {
  const { lookup } = dns;
  type Done = (
    error: NodeJS.ErrnoException | null,
    found: string | dns.LookupAddress[],
    family?: number,
  ) => void;
  const mocked = (asked: string, options: dns.LookupAllOptions, done: Done) => {
    if (asked !== name) return lookup(asked, options, done);
    const found = { address: address(), family: 4 };
    // node:net asks for all addresses, or for one.
    return process.nextTick(() =>
      options.all ? done(null, [found]) : done(null, found.address, found.family),
    );
  };
  context.mock.method(dns, 'lookup', mocked);
}

test('one connection serves one request after the other, and as many as are allowed serve those at once', async (context) => {
  setEnvironment(context, environment);
  const { client, sockets } = await scripted(context, (_, response) => ok(response), {
    limits: { dynamoMaxSockets: 3 },
  });
  for (let i = 0; i < 10; i += 1) await client.send('DescribeTable', describe, unbounded);
  assert.equal(sockets.length, 1);
  await Promise.all(Array.from({ length: 20 }, () => client.send('DescribeTable', describe, unbounded)));
  assert.equal(sockets.length, 3);
});

test('a connection that is old serves no other request, not even one that waits', async (context) => {
  setEnvironment(context, environment);
  const { client, sockets, events } = await scripted(context, (_, response) => ok(response), {
    limits: { dynamoMaxSockets: 1, dynamoMaxSocketAgeMs: 0 },
  });
  await Promise.all(Array.from({ length: 5 }, () => client.send('DescribeTable', describe, unbounded)));
  assert.equal(sockets.length, 5);
  assert.equal(events.retries, 0);
});

test('connections that the other side has closed meanwhile are replaced', async (context) => {
  setEnvironment(context, environment);
  const { client, sockets } = await scripted(context, (_, response) => ok(response));
  for (let i = 1; i <= 5; i += 1) {
    await client.send('DescribeTable', describe, unbounded);
    assert.equal(sockets.length, i);
    sockets.at(-1)?.destroy();
  }
});

test('after a host has not answered, its idle connections are left for where the name leads now', async (context) => {
  setEnvironment(context, environment);
  let isGone = false;
  resolve(context, 'table.example', () => (isGone ? '127.0.0.2' : '127.0.0.1'));
  const one = await scripted(context, (_, response) => (isGone ? undefined : ok(response)), {
    host: 'table.example',
    limits: { dynamoAttemptTimeoutMs: 300 },
  });
  await Promise.all([1, 2, 3].map(() => one.client.send('DescribeTable', describe, unbounded)));
  assert.equal(one.sockets.length, 3);
  const other = createServer((socket) => {
    socket.once('data', () =>
      socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}'),
    );
  });
  other.listen(one.port, '127.0.0.2');
  await once(other, 'listening');
  context.after(() => other.close());
  isGone = true;
  assert.deepEqual(await one.client.send('DescribeTable', describe, unbounded), {});
  assert.equal(one.asked.length, 5, 'two requests were lost');
});

test('one late answer costs one connection, not those beside it', async (context) => {
  setEnvironment(context, environment);
  let isLate = false;
  const one = await scripted(
    context,
    (_, response) => {
      if (!isLate) ok(response);
      isLate = false;
    },
    { limits: { dynamoAttemptTimeoutMs: 300 } },
  );
  const ask = () => one.client.send('DescribeTable', describe, unbounded);
  await Promise.all([ask(), ask(), ask()]);
  for (let i = 0; i < 2; i += 1) {
    isLate = true;
    await ask();
  }
  assert.equal(one.sockets.length, 3);
});

test('calls that are cancelled end at once, and their connection serves the next ones', async (context) => {
  setEnvironment(context, environment);
  const answers: (() => void)[] = [];
  const { client, sockets, events } = await scripted(
    context,
    (_, response) => {
      answers.push(() => ok(response));
    },
    { limits: { dynamoMaxSockets: 1, dynamoAttemptTimeoutMs: 60_000 } },
  );
  const reason = new Error('the deadline passed');
  for (let i = 1; i <= 20; i += 1) {
    const controller = new AbortController();
    const call = client.send('DescribeTable', describe, controller.signal);
    call.catch(() => {});
    while (answers.length < i) await new Promise((resolve) => setImmediate(resolve));
    controller.abort(reason);
    await assert.rejects(call, (error) => error === reason);
    answers[i - 1]?.();
  }
  assert.deepEqual([sockets.length, events.retries], [1, 0]);
});

test('what a cancelled call has asked for is given up at its time, and with the client', async (context) => {
  setEnvironment(context, environment);
  let isSilent = true;
  const asked = () => new Promise((resolve) => setImmediate(resolve));
  const one = await scripted(context, (_, response) => (isSilent ? undefined : ok(response)), {
    limits: { dynamoMaxSockets: 1, dynamoAttemptTimeoutMs: 300 },
  });
  const cancelled = async () => {
    const controller = new AbortController();
    const { length } = one.asked;
    const call = one.client.send('DescribeTable', describe, controller.signal);
    call.catch(() => {});
    while (one.asked.length === length) await asked();
    controller.abort();
    await assert.rejects(call, { name: 'AbortError' });
  };
  await cancelled();
  isSilent = false;
  await one.client.send('DescribeTable', describe, unbounded);
  assert.equal(one.sockets.length, 2);
  isSilent = true;
  await cancelled();
  const left = once(one.sockets[1] ?? assert.fail('no connection'), 'close');
  await one.client.close();
  await left;
});

test('an answer that drips is given up at its time', async (context) => {
  setEnvironment(context, environment);
  const { client, asked } = await scripted(
    context,
    ({ number }, response) => {
      if (number > 1) return ok(response);
      response.writeHead(200, { 'content-length': '1000' });
      const timer = setInterval(() => response.write(' '), 20);
      response.once('close', () => clearInterval(timer));
    },
    { limits: { dynamoAttemptTimeoutMs: 300 } },
  );
  await client.send('DescribeTable', describe, unbounded);
  assert.equal(asked.length, 2);
});

test('a request that waits for a connection is not late, and ends with its signal', async (context) => {
  setEnvironment(context, environment);
  const { client, events, asked } = await scripted(
    context,
    (_, response) => {
      setTimeout(() => ok(response), 200);
    },
    { limits: { dynamoMaxSockets: 1, dynamoAttemptTimeoutMs: 600 } },
  );
  const calls = Array.from({ length: 5 }, () => client.send('DescribeTable', describe, unbounded));
  const controller = new AbortController();
  const given = client.send('DescribeTable', describe, controller.signal);
  const reason = new Error('the deadline passed');
  setImmediate(() => controller.abort(reason));
  await assert.rejects(given, (error) => error === reason);
  await Promise.all(calls);
  assert.deepEqual([events.retries, asked.length], [0, 5]);
});

test('with TLS, connections are kept too, and who is not certified is refused', async (context) => {
  setEnvironment(context, environment);
  const authority = await createAuthority();
  const pair = await authority.issue({ dns: ['localhost'] });
  resolve(context, 'localhost', () => '127.0.0.1');
  const options = { tls: pair, host: 'localhost', limits: { dynamoMaxAttempts: 1 } };
  const { client, sockets } = await scripted(context, (_, response) => ok(response), options);
  await assert.rejects(client.send('DescribeTable', describe, unbounded), /certificate/);
  const before = tls.getCACertificates('default');
  tls.setDefaultCACertificates([...before, authority.ca]);
  context.after(() => tls.setDefaultCACertificates(before));
  for (let i = 0; i < 5; i += 1) await client.send('DescribeTable', describe, unbounded);
  assert.equal(sockets.length, 2);
});

test('a handshake that never ends is given up at its time', async (context) => {
  setEnvironment(context, environment);
  const silent = await listen(createServer((socket) => socket.on('error', () => {}).resume()));
  context.after(() => silent[Symbol.asyncDispose]());
  const client = new DynamoClient({
    endpoint: `https://127.0.0.1:${silent.port}`,
    limits: { ...limits, dynamoConnectTimeoutMs: 100, dynamoMaxAttempts: 2 },
    events: noEvents,
  });
  context.after(() => client.close());
  await assert.rejects(client.send('DescribeTable', describe, unbounded), {
    name: 'TimeoutError',
    message: 'no connection within 100 ms',
  });
  assert.equal(silent.sockets.length, 2);
});
