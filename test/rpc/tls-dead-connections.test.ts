// Proves that over TLS, too, nothing stays of connections whose client is gone without a word, with answers that it has
// not read: no memory, no share of the client, no connection.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import tls from 'node:tls';
import { Http2Peer } from '../attacks/http2-peer.ts';
import { createAuthority } from '../support/certificates.ts';
import { frame } from '../support/frames.ts';
import { eventually } from '../support/patience.ts';
import { serve } from './echo.ts';

/** How many connect at once, and how often. */
const together = 3;
const rounds = 40;
const callsEach = 8;
/** Less than an answer, so that there is always something left to be sent. */
const window = 50;

test('nothing is held for clients that destroy their connection right after they have asked', async (t) => {
  const authority = await createAuthority();
  const serving = await serve(
    t,
    {
      async *serverStream() {
        for (let index = 0; index < 3_000; index += 1) yield { index };
      },
    },
    {
      tls: await authority.issue({ ip: ['127.0.0.1'] }),
      limits: {
        flushTimeoutMs: 100,
        stallTimeoutMs: 200,
        defaultDeadlineMs: 300,
        idleTimeoutMs: 500,
        connectionAgeGraceMs: 200,
      },
    },
  );
  const request = {
    method: 'POST',
    path: '/test.echo.v1.Echo/ServerStream',
    headers: { 'content-type': 'application/grpc', te: 'trailers' },
    body: frame(Buffer.alloc(0)),
  } as const;

  const ask = async () => {
    const socket = tls.connect({
      ca: authority.ca,
      port: serving.port,
      host: '127.0.0.1',
      ALPNProtocols: ['h2'],
    });
    const connected = Promise.withResolvers<void>();
    socket.on('error', connected.reject);
    socket.on('secureConnect', connected.resolve);
    await connected.promise;
    socket.removeAllListeners('error').on('error', () => {}); // the server may reset what is gone
    const peer = new Http2Peer(socket, window);
    for (let call = 0; call < callsEach; call += 1) peer.send(request);
    await delay(Math.random() * 3);
    socket.destroy();
  };
  for (let round = 0; round < rounds; round += 1) await Promise.all(Array.from({ length: together }, ask));

  const isFree = () => Object.values(serving.server.usage).every((it) => it === 0);
  assert.ok(await eventually(isFree), `still counted: ${JSON.stringify(serving.server.usage)}`);
});
