// Proves that the way of tasks to AWS sends requests of DynamoDB to the table's data and all others to the APIs, and
// that it refuses the part of them that it is told to, counts them, and lets nobody in who is denied.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, beforeEach, describe, it } from 'node:test';
import { Door, type Throttle } from '../../rehearsal/door.ts';
import { freePort } from '../../rehearsal/load-balancer.ts';

const servers = ['the data', 'the APIs'].map((name) =>
  createServer((_request, response) => response.end(name)),
);
let door: Door;
let url = '';
let throttles: Throttle[] = [];

before(async () => {
  const urls: string[] = [];
  for (const server of servers) {
    const port = await freePort();
    await once(server.listen(port, '127.0.0.1'), 'listening');
    urls.push(`http://127.0.0.1:${port}`);
  }
  const [data = '', apis = ''] = urls;
  door = new Door(data, apis);
  door.onThrottle = (it) => throttles.push(it);
  url = await door.listen('127.0.0.1');
});
beforeEach(() => {
  throttles = [];
  door.throttledPart = 0;
  door.delayMs = 0;
  Object.assign(door.touched, { delayed: 0, throttled: 0, denied: 0 });
  door.isDenied = () => false;
});
after(async () => {
  await door[Symbol.asyncDispose]();
  for (const server of servers) server.close();
});

async function ask(target: string, body: object = {}): Promise<string> {
  const headers = { 'x-amz-target': target };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  return response.text();
}

describe('a request', () => {
  it('of DynamoDB goes to the data, any other to the APIs', async () => {
    assert.equal(await ask('DynamoDB_20120810.GetItem'), 'the data');
    assert.equal(await ask('secretsmanager.GetSecretValue'), 'the APIs');
  });

  it('is refused as often as was said, of DynamoDB alone, and counted for its table', async () => {
    door.throttledPart = 0.25;
    const answers: string[] = [];
    for (let count = 0; count < 8; count++)
      answers.push(await ask('DynamoDB_20120810.PutItem', { TableName: 'users' }));
    assert.equal(answers.filter((it) => it.includes('ThrottlingException')).length, 2);
    assert.deepEqual(door.touched, { delayed: 0, throttled: 2, denied: 0 });
    assert.deepEqual(throttles, Array(2).fill({ table: 'users', isWrite: true }));
    assert.equal(await ask('secretsmanager.GetSecretValue'), 'the APIs');
  });

  it('of a batch is counted as a read of its table', async () => {
    door.throttledPart = 1;
    await ask('DynamoDB_20120810.BatchGetItem', { RequestItems: { users: {} } });
    assert.deepEqual(throttles, [{ table: 'users', isWrite: false }]);
  });

  it('of DynamoDB alone is delayed, and counted', async () => {
    door.delayMs = 1;
    await ask('secretsmanager.GetSecretValue');
    assert.equal(door.touched.delayed, 0);
    assert.equal(await ask('DynamoDB_20120810.GetItem'), 'the data');
    assert.equal(door.touched.delayed, 1);
  });

  it('is denied to who may not', async () => {
    door.isDenied = (address) => address === '127.0.0.1';
    assert.match(await ask('DynamoDB_20120810.GetItem'), /AccessDeniedException/);
    assert.equal(door.touched.denied, 1);
  });
});
