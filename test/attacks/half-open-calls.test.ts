// Proves that calls whose requests never end, of which HPACK makes each some bytes on the wire, cost the server's
// memory what they are, with large headers and with hardly any, however many connections they come over.
import { test } from 'node:test';
import type { Attack, AttackRequest } from './attack.ts';
import { getUsers } from './requests.ts';
import { bundleOnce } from './watched-server.ts';
import { withstand } from './withstand.ts';

bundleOnce();

/** Of all headers, the message is what never comes. */
const halfOpen: AttackRequest = {
  ...getUsers(0, { way: 'grpc' }),
  isIndexed: true,
  body: new Uint8Array(),
  isEndless: true,
};
const many = { from: '127.0.0.2', http: '2', times: 250, reading: 'all' } as const;
const large = { value: 'a'.repeat(2_900), times: 21 };

for (const name of ['x-request-id', 'x-metadata']) {
  test(`HPACK: 6,000 half-open calls of some 40 bytes, each with 60 KB of ${name}`, async (t) => {
    const requests = [{ ...halfOpen, repeated: { ...large, name } }];
    await withstand(t, {
      attacks: [{ ...many, connections: 24, requests, perSecond: 3_000 }],
      forMs: 2_500,
    });
  });
}

test('HPACK: 36,000 half-open calls of 17 bytes over 160 connections', async (t) => {
  const attack: Attack = { ...many, connections: 160, requests: [halfOpen], perSecond: 4_000 };
  // All its connections end at once, and node takes a session apart with its calls in one go.
  await withstand(t, { attacks: [attack], forMs: 9_000, slowestMs: 500 });
});
