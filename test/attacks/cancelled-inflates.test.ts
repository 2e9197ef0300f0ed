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
const inflating = call('/Users/GetUsers', message, { way: 'grpc', isCompressed: true, timeoutMs: 5 });
const eight = { from: '127.0.0.2', http: '2', connections: 8, reading: 'all' } as const;

test('gRPC: 15,000 calls of some 450 bytes, which inflate to 250 KB, with a deadline of 5 ms', async (t) => {
  const attack: Attack = { ...eight, requests: [inflating], times: 1_875, perSecond: 7_500 };
  await withstand(t, { attacks: [attack], forMs: 2_500 });
});
