// Proves that what the attackers send is understood: the same requests, made small, are answered. Attacks that the
// server refuses for a fault of theirs would prove nothing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Attack, AttackRequest } from './attack.ts';
import { connectUnary, get, getUsers, type Way } from './requests.ts';
import { bundleOnce, startWatched } from './watched-server.ts';
import { muster } from './withstand.ts';

bundleOnce();

test('every kind of request, made small, is answered well over each version of HTTP that has it', async (t) => {
  const common = { connections: 1, reading: 'all' } as const;
  const repeated = { name: 'x-metadata', value: 'v', times: 3 };
  const ways = ['grpc-web', 'grpc-web+json', 'connect', 'connect+json'] as const;
  const any = [...small(ways), get('/users/?user_id=1')];
  const grpc = [...small(['grpc', 'grpc+json']), { ...getUsers(3, { way: 'grpc' }), repeated }];
  const attacks: Attack[] = [
    { ...common, from: '127.0.0.2', http: '1.1', requests: [...any, ...signUps('one')] },
    { ...common, from: '127.0.0.3', http: '2', requests: [...any, ...grpc, ...signUps('two')] },
  ];
  const [server, attack] = await Promise.all([startWatched(t), muster({ attacks, forMs: 500 })]);
  await attack(server.port);
  assert.equal(await server.stop(), 'code 0');
  for (const { from, requests } of attacks) {
    const calls = [...server.loggedCalls(from)];
    const good = calls.filter(([kind]) => kind.endsWith(' OK')).reduce((sum, [, count]) => sum + count, 0);
    assert.equal(good, requests.length, `${from}: ${JSON.stringify(calls)}`);
  }
});

function small(ways: readonly Way[]): AttackRequest[] {
  return ways.flatMap((way) => [true, false].map((isCompressed) => getUsers(3, { way, isCompressed })));
}

function signUps(prefix: string): AttackRequest[] {
  return [true, false].map((isCompressed) => {
    const message = Buffer.from(JSON.stringify({ username: `${prefix}-${isCompressed}` }));
    return connectUnary('/Users/CreateUser', message, { format: 'json', isCompressed });
  });
}
