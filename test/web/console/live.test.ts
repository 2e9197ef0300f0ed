// Proves that the console tells of the calls that have ended, each with its parts, metadata that is harmless, and its
// line in the log; that it remembers so many calls and bytes and no more, says how many it has forgotten, and is not
// filled by strangers; and that its figures are those of the server.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Code, ConnectError } from '@connectrpc/connect';
import { type CallRecord, CallTrace, rpcError } from '../../../functions/rpc/index.ts';
import type { LiveCall } from '../../../functions/web/console/contract.ts';
import { Latencies } from '../../../functions/web/console/latencies.ts';
import { consoleLimits } from '../../../functions/web/console/limits.ts';
import { RecentCalls } from '../../../functions/web/console/recent-calls.ts';
import { serveConsole } from './serving.ts';

/** A call of nobody that has ended. */
function record(changed: Partial<CallRecord> = {}): CallRecord {
  const nowMs = performance.now();
  return {
    ...{ method: '/Users/GetUsers', protocol: 'grpc', error: undefined },
    ...{ startedAtMs: nowMs - 5, endedAtMs: nowMs, timeoutMs: 1000, hasDeadline: true },
    ...{ peer: '127.0.0.1:1', caller: undefined, requestId: 'id', headers: {} },
    ...{ receivedMessages: 1, receivedBytes: 2, sentMessages: 3, sentBytes: 4 },
    ...{ trace: undefined, isQuiet: false },
    ...changed,
  };
}

const callsOf = (calls: RecentCalls, after = 0): LiveCall[] =>
  calls.since(after).calls.map((json) => JSON.parse(json));

describe('/console/live', () => {
  it('tells of each call once, with its parts, its metadata and its line in the log', async (t) => {
    const { call, live, serving } = await serveConsole(t);
    assert.equal(
      await call(
        'CreateUser',
        { username: 'tom' },
        { 'x-api-secret': 'hidden', 'x-forwarded-for': '192.0.2.1' },
      ),
      200,
    );
    assert.equal(await call('CreateUser', { username: 'tom' }), 409);
    const { last, missed, calls, figures } = await live();
    assert.deepEqual([last, missed, calls.length], [2, 0, 2]);
    const [first, second] = calls;
    assert.ok(first && second);
    assert.deepEqual(
      [
        first.seq,
        first.method,
        first.protocol,
        first.status,
        first.isFault,
        first.receivedMessages,
        first.sentMessages,
      ],
      [1, '/Users/CreateUser', 'connect', 'OK', false, 1, 1],
    );
    assert.deepEqual(
      first.spans.slice(0, 3).map(({ name }) => name),
      ['gate', 'request', 'handler'],
    );
    for (const { startMs, ms } of first.spans)
      assert.ok(startMs >= 0 && ms >= 0 && startMs + ms <= first.ms + 0.01);
    assert.equal(first.metadata['x-api-secret'], '[redacted]');
    assert.equal(first.metadata['x-forwarded-for'], '192.0.2.1');
    assert.match(first.traceId, /^[0-9a-f]{32}$/);
    // The same line that the log has, but for the metadata's values, which this log does not show.
    const line = await serving.line(({ requestId }) => requestId === first.requestId);
    const { level, time, msg, metadata, ...fields } = first.log[0] as Record<string, unknown>; // JSON
    const { message, metadata: _names, level: loggedLevel, ...logged } = line;
    assert.deepEqual(fields, JSON.parse(JSON.stringify(logged)));
    assert.deepEqual([level, msg], [loggedLevel, message]);
    assert.ok(!Number.isNaN(Date.parse(String(time))));
    assert.deepEqual([second.status, second.error], ['ALREADY_EXISTS', 'the username is taken']);
    assert.deepEqual((await live(last)).calls, []);
    assert.deepEqual(
      (await live(1)).calls.map(({ seq }) => seq),
      [2],
    );
    // Of a server that was there before this one.
    assert.equal((await live(1000)).calls.length, 2);
    assert.deepEqual([figures.ended, figures.faults, figures.failed, figures.inFlight], [2, 0, 1, 0]);
    assert.ok(figures.p50Ms !== undefined && figures.p99Ms !== undefined && figures.p50Ms <= figures.p99Ms);
    assert.deepEqual(
      [figures.store, figures.isDraining, figures.connections],
      [{ kind: 'memory' }, false, 1],
    );
    assert.ok(figures.heapBytes > 1e6 && figures.eventLoopDelayMs >= 0);
    assert.ok(figures.eventLoopUtilization >= 0 && figures.eventLoopUtilization <= 1);
  });

  it('says who calls, who was refused, and why the service does not serve', async (t) => {
    const { call, live, serving } = await serveConsole(t, { isClosed: true });
    const asked = { user: [{ username: 'tom' }] };
    assert.equal(await call('CreateUser', asked), 401);
    assert.equal(await call('CreateUser', { username: 'tom' }, { authorization: 'Bearer users.write' }), 200);
    serving.server.health.set('Users', false, 'the disk is full');
    const { calls, figures } = await live(0, { authorization: 'Bearer console.live' });
    assert.deepEqual(
      calls.map(({ caller, status, spans }) => [caller, status, spans.map(({ name }) => name).slice(0, 2)]),
      [
        [undefined, 'UNAUTHENTICATED', ['gate']],
        ['key:users.write', 'OK', ['gate', 'request']],
      ],
    );
    assert.ok(!JSON.stringify(calls).includes('Bearer users.write'));
    assert.deepEqual([figures.failed, figures.faults], [1, 0]);
    assert.equal(figures.store.trouble, 'Users does not serve: the disk is full');
  });

  it('refuses what is no number', async (t) => {
    const { get } = await serveConsole(t);
    for (const after of ['x', '-1', '1.5', '']) {
      const { status, headers, text } = await get(`/console/live?after=${after}`);
      assert.deepEqual(
        [status, headers['content-type'], JSON.parse(text).code],
        [400, 'application/json', 'invalid_argument'],
      );
    }
  });
});

describe('the calls that are remembered', () => {
  it('are so many, and what was forgotten is counted', () => {
    const calls = new RecentCalls({ ...consoleLimits, maxRecentCalls: 3 });
    for (let at = 0; at < 10; at += 1) calls.ended(record(), 0);
    assert.deepEqual(
      callsOf(calls).map(({ seq }) => seq),
      [8, 9, 10],
    );
    assert.deepEqual(
      [0, 5, 8, 10].map((after) => calls.since(after).missed),
      [7, 2, 0, 0],
    );
  });

  it('take so many bytes, whatever their errors and metadata hold', () => {
    const calls = new RecentCalls();
    const long = 'é'.repeat(100_000);
    const cause = new Error(long);
    const trace = new CallTrace({
      traceId: '1'.repeat(32),
      isSampled: false,
      parent: undefined,
      link: undefined,
      isOfCaller: true,
    });
    for (let at = 0; at < 100; at += 1) trace.begin('store.find').error = cause;
    const error = new ConnectError(long, Code.Internal, undefined, undefined, cause);
    const headers = Object.fromEntries(Array.from({ length: 1000 }, (_, at) => [`x-${at}`, long]));
    for (let at = 0; at < 50; at += 1) calls.ended(record({ error, trace, headers }), Code.Internal);
    const texts = calls.since(0).calls;
    assert.ok(texts.length > 0);
    assert.ok(texts.join('').length * 2 <= consoleLimits.maxRecentBytes);
  });

  for (const [title, knowsCallers, reason] of [
    ['who are refused', false, 'NO_CREDENTIALS'],
    ['at all where callers have to say who they are', true, 'NOT_FOUND'],
  ] as const) {
    it(`are not driven out by strangers ${title}`, () => {
      const calls = new RecentCalls({
        ...consoleLimits,
        maxRecentCalls: 100,
        maxRefusedStrangersPerSecond: 5,
      });
      calls.knowsCallers = knowsCallers;
      const caller = { kind: 'key', name: 'alice', id: 'key:alice', scopes: new Set<string>() } as const;
      calls.ended(record({ requestId: 'known', caller }), 0);
      const error = rpcError(reason);
      for (let at = 0; at < 1000; at += 1) calls.ended(record({ error }), error.code);
      const kept = callsOf(calls);
      assert.equal(kept[0]?.requestId, 'known');
      // It may be that a second ends meanwhile.
      assert.ok(kept.length <= 1 + 2 * 5, String(kept.length));
    });
  }

  it('are shown whatever their handlers throw', () => {
    const calls = new RecentCalls();
    const circle: { self?: unknown } = {};
    circle.self = circle;
    for (const cause of [circle, 1n, Object.create(null), Object.assign(new Error(), { message: 1 })]) {
      const error = new ConnectError('internal error', Code.Internal, undefined, undefined, cause);
      const trace = new CallTrace({
        traceId: '1'.repeat(32),
        isSampled: false,
        parent: undefined,
        link: undefined,
      });
      trace.begin('work').error = cause;
      calls.ended(record({ error, trace }), Code.Internal);
    }
    assert.equal(callsOf(calls).length, 4);
  });

  it('are so many each second, all faults besides, and the others are counted as missed', () => {
    const calls = new RecentCalls({ ...consoleLimits, maxRecentCalls: 10_000, maxRememberedPerSecond: 5 });
    for (let at = 0; at < 1000; at += 1) calls.ended(record(), 0);
    for (let at = 0; at < 20; at += 1) calls.ended(record({ error: rpcError('INTERNAL') }), Code.Internal);
    const kept = callsOf(calls);
    assert.equal(kept.filter(({ isFault }) => isFault).length, 20);
    // It may be that a second ends meanwhile.
    assert.ok(kept.length <= 20 + 2 * 5, String(kept.length));
    assert.equal(calls.since(0).missed, 1020 - kept.length);
  });

  it('have as parts what has come to pass, those that never ended too', () => {
    const calls = new RecentCalls();
    const call = record();
    const trace = new CallTrace({
      traceId: '1'.repeat(32),
      isSampled: false,
      parent: undefined,
      link: undefined,
      isOfCaller: true,
    });
    trace.enteredAtMs = call.startedAtMs + 1;
    trace.invokedAtMs = call.startedAtMs + 2;
    const span = trace.begin('store.find', { users: 2 });
    span.error = new TypeError('no');
    const { endedAtMs } = call;
    calls.ended(
      { ...call, trace, endedAtMs: Math.max(endedAtMs, span.startedAtMs + 1) },
      Code.DeadlineExceeded,
    );
    const [{ spans, ms } = assert.fail()] = callsOf(calls);
    assert.deepEqual(
      spans.map(({ name, error }) => [name, error]),
      [
        ['gate', undefined],
        ['request', undefined],
        ['handler', undefined],
        ['store.find', 'no'],
      ],
    );
    assert.deepEqual([spans[0]?.ms, spans[1]?.ms, spans[3]?.attributes], [1, 1, { users: 2 }]);
    for (const it of spans.slice(2)) assert.ok(Math.abs(it.startMs + it.ms - ms) < 0.01);
  });
});

describe('the latencies', () => {
  it('are those of the last seconds', () => {
    let nowMs = 1_000_000;
    const latencies = new Latencies(() => nowMs);
    assert.deepEqual(latencies.percentiles(), { p50Ms: undefined, p99Ms: undefined });
    for (let ms = 1; ms <= 100; ms += 1) latencies.record(ms);
    const about = (value: number | undefined, expected: number) =>
      assert.ok(value !== undefined && Math.abs(value / expected - 1) < 0.02, `${value}, not ${expected}`);
    about(latencies.percentiles().p50Ms, 50);
    about(latencies.percentiles().p99Ms, 99);
    nowMs += 5000;
    for (let at = 0; at < 1000; at += 1) latencies.record(1000);
    about(latencies.percentiles().p50Ms, 1000);
    nowMs += 10_000;
    latencies.record(0.01);
    about(latencies.percentiles().p99Ms, 0.01);
    nowMs += 20_000;
    assert.deepEqual(latencies.percentiles(), { p50Ms: undefined, p99Ms: undefined });
  });
});
