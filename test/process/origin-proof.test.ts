// Proves that a server with ORIGIN_PROOF answers calls that show the proof, and refuses all others, over each protocol,
// at /users/ and for health checks, with nothing of the proof in what it says or logs; that a client is the address
// which the proxies tell; and which values are no proof.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Code } from '@connectrpc/connect';
import { createUsersClient } from '../../client/client.ts';
import { readConfig } from '../../functions/users/config.ts';
import { runMain } from '../support/process.ts';

const proof = 'a-proof-of-twenty-letters-or-more';
const refusal = 'the request has not come through the proxy in front of this server';
const settings = { ORIGIN_PROOF: proof, TRUSTED_PROXIES: '2', AUTH: 'none' };

it('who comes beside the proxies is refused', async (t) => {
  const main = runMain(t, settings);
  const endpoint = await main.url();
  for (const protocol of ['grpc', 'grpc-web', 'connect'] as const) {
    const call = async (metadata: Record<string, string>) => {
      using users = createUsersClient({ endpoint, protocol, metadata });
      return await users.createUser({ username: `${protocol}-user` });
    };
    const others: Record<string, string>[] = [
      {},
      { 'x-origin-proof': '' },
      { 'x-origin-proof': proof.slice(1) },
    ];
    for (const shown of others) {
      await assert.rejects(call(shown), { code: Code.PermissionDenied, rawMessage: refusal });
    }
    const { user } = await call({ 'x-origin-proof': proof });
    assert.equal(user?.username, `${protocol}-user`);
  }
  for (const path of ['/users/?username=grpc-user', '/healthz']) {
    const get = (headers: Record<string, string>) => fetch(new URL(path, endpoint), { headers });
    const refused = await get({});
    assert.equal(refused.status, 403);
    assert.doesNotMatch(await refused.text(), /a-proof/);
    const taken = await get({
      'x-origin-proof': proof,
      'x-forwarded-for': '203.0.113.9, 198.51.100.7, 192.0.2.1',
    });
    assert.equal(taken.status, 200);
    await taken.text();
  }
  await main.line('call', { method: '/users/', forwardedFor: '198.51.100.7' });
  // Whoever comes beside them may claim any address: it is not taken for that.
  const claimed = await fetch(new URL('/users/?username=someone', endpoint), {
    headers: { 'x-forwarded-for': '203.0.113.77, 192.0.2.1' },
  });
  assert.equal(claimed.status, 403);
  await claimed.text();
  await main.stop();
  assert.doesNotMatch(main.printed(), /a-proof|203\.0\.113\.77/);
});

it('a value that is no proof is told, and not shown', () => {
  for (const [env, problem] of [
    [{ ...settings, ORIGIN_PROOF: 'short' }, /^ORIGIN_PROOF must have at least 20 characters/],
    [{ ...settings, ORIGIN_PROOF: `${proof} with spaces` }, /^ORIGIN_PROOF must have at least 20 characters/],
    [{ ...settings, TRUSTED_PROXIES: '0' }, /^ORIGIN_PROOF needs TRUSTED_PROXIES of 1 or more/],
  ] as const) {
    assert.throws(
      () => readConfig(env),
      ({ message }: Error) => problem.test(message) && !message.includes(env.ORIGIN_PROOF),
    );
  }
});
