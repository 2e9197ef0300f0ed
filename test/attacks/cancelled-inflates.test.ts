// Proves that a message whose call ends while it inflates counts until it has inflated, so that calls which end at once
// can't queue up more of that work than memory and the quiet client's time allow.
import { test } from 'node:test';
import type { Attack } from './attack.ts';
import { call } from './requests.ts';
import { bundleOnce } from './watched-server.ts';
import { withstand } from './withstand.ts';

bundleOnce();

/** A field that nobody knows, in a message below the size from which its ratio matters. */
const unknown = 15;
const bytes = 250_000;
const message = Buffer.concat([
  Buffer.of((unknown << 3) | 2, (bytes & 127) | 128, ((bytes >> 7) & 127) | 128, bytes >> 14),
  Buffer.alloc(bytes, ' '),
]);
const inflating = (timeoutMs: number) =>
  call('/Users/GetUsers', message, { way: 'grpc', isCompressed: true, timeoutMs });
const attack = { from: '127.0.0.2', http: '2', reading: 'all', perSecond: 2_500 } as const;

test('gRPC: 5,000 calls of some 450 bytes, which inflate to 250 KB, with a deadline of 5 ms', async (t) => {
  const eight: Attack = { ...attack, requests: [inflating(5)], connections: 8, times: 625 };
  await withstand(t, { attacks: [eight], forMs: 2_500 });
});

test('gRPC: 5,000 such calls, reset after 12 ms, on connections that may reset more', async (t) => {
  const requests = [{ ...inflating(60_000), resetAfterMs: 12 }];
  const eight: Attack = { ...attack, requests, connections: 8, times: 625 };
  await withstand(t, { attacks: [eight], forMs: 2_500 });
});
