// Proves that what comes of bodies while a gate takes its time is counted as memory that calls hold, that it is given
// back when the gate decides or the client goes, and that a call which would take more than there is ends alone.
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { it, type TestContext } from 'node:test';
import { Code, ConnectError } from '@connectrpc/connect';
import { frame } from '../support/frames.ts';
import { eventually } from '../support/patience.ts';
import { requestHttp2 } from '../support/raw-request.ts';
import { closeBefore, type Serving } from '../support/server.ts';
import { serve } from './echo.ts';

const bodyBytes = 600_000;
/** What a call holds beside its body. */
const callBytes = 8_192;

async function waitingGate(t: TestContext, maxHeldBytes: number) {
  const decided = Promise.withResolvers<void>();
  const limits = {
    maxHeldBytes,
    maxHeldBytesPerClient: maxHeldBytes,
    maxHeldBytesPerConnection: maxHeldBytes,
  };
  const serving = await serve(
    t,
    { unary: ({ text }) => ({ text: String(text.length) }) },
    { gate: () => decided.promise, limits, http2Engine: 'own' },
  );
  const call = caller(serving);
  return { serving, decided, call, held: () => serving.server.usage.heldBytes };
}

/** Makes calls with a large body. */
function caller(serving: Serving) {
  const session = http2.connect(serving.url);
  closeBefore(serving, () => session.destroy());
  return () => {
    const exchange = requestHttp2(session, {
      path: '/test.echo.v1.Echo/Unary',
      headers: { 'content-type': 'application/grpc', te: 'trailers' },
    });
    exchange.request.end(frame(textOf(bodyBytes)));
    return exchange;
  };
}

/** An Echo with a text of so many bytes, in protobuf. */
function textOf(bytes: number): Buffer {
  const length: number[] = [];
  for (let rest = bytes; ; rest >>>= 7) {
    if (rest < 0x80) {
      length.push(rest);
      break;
    }
    length.push((rest & 0x7f) | 0x80);
  }
  return Buffer.concat([Buffer.from([0x0a, ...length]), Buffer.alloc(bytes, 'a')]);
}

it('is counted, and given back once the call is let in', async (t) => {
  const { decided, call, held } = await waitingGate(t, 64 * 1024 * 1024);
  const calls = [call(), call(), call()];
  assert.ok(await eventually(() => held() >= 3 * bodyBytes), `${held()}`);
  assert.ok(held() <= 3 * (bodyBytes + callBytes), `${held()}`);
  decided.resolve();
  for (const it of calls) it.read();
  await Promise.all(calls.map((it) => it.closed));
  for (const it of calls) assert.equal(it.trailers['grpc-status'], '0');
  assert.ok(await eventually(() => held() === 0), `${held()}`);
});

it('is counted once: a call that has waited at the gate holds no more than another', async (t) => {
  const answers = Array.from({ length: 2 }, () => Promise.withResolvers<void>());
  let running = 0;
  const decided = Promise.withResolvers<void>();
  const unary = async () => {
    await answers[running++]?.promise;
    return {};
  };
  const serving = await serve(t, { unary }, { gate: () => decided.promise, http2Engine: 'own' });
  const held = () => serving.server.usage.heldBytes;
  const call = caller(serving);
  const readings: number[] = [];
  for (const [place, answer] of answers.entries()) {
    const exchange = call();
    if (place === 0) assert.ok(await eventually(() => held() >= bodyBytes));
    decided.resolve();
    assert.ok(await eventually(() => running > place));
    readings.push(held());
    answer.resolve();
    exchange.read();
    await exchange.closed;
    assert.ok(await eventually(() => held() === 0));
  }
  assert.equal(readings[0], readings[1]);
});

it('is given back when the call is refused, and when its client goes', async (t) => {
  const { decided, call, held } = await waitingGate(t, 64 * 1024 * 1024);
  const [first, second] = [call(), call()];
  assert.ok(await eventually(() => held() >= 2 * bodyBytes));
  first.request.destroy();
  assert.ok(await eventually(() => held() <= bodyBytes + callBytes));
  decided.reject(new ConnectError('not you', Code.PermissionDenied));
  second.read();
  await second.closed;
  assert.equal(second.headers['grpc-status'], String(Code.PermissionDenied));
  assert.ok(await eventually(() => held() === 0), `${held()}`);
});

it('ends the call that would take more than there is, and no other', async (t) => {
  const { decided, call, held } = await waitingGate(t, 1_000_000);
  const first = call();
  assert.ok(await eventually(() => held() >= bodyBytes));
  const second = call();
  second.read();
  await second.closed;
  assert.equal(second.headers['grpc-status'], String(Code.ResourceExhausted));
  decided.resolve();
  first.request.destroy();
  assert.ok(await eventually(() => held() === 0), `${held()}`);
});
