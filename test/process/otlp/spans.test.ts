// Proves what the spans of a call say in OTLP: names, kinds, attributes, status and tree as OpenTelemetry's conventions
// for RPC have it, and nothing of what an error says.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Code, ConnectError, createContextValues } from '@connectrpc/connect';
import { JsonTraceSerializer } from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { spansOf } from '../../../functions/process/otlp/spans.ts';
import { WallClock } from '../../../functions/process/otlp/wall-clock.ts';
import { type CallRecord, CallTrace, inSpan } from '../../../functions/rpc/index.ts';
import { traceKey } from '../../../functions/rpc/telemetry/trace.ts';
import { assertHeapBytes } from '../../support/heap.ts';

const source = {
  resource: resourceFromAttributes({ 'service.name': 'test' }),
  scope: { name: 'test' },
  clock: new WallClock(),
};
const traceId = '0af7651916cd43dd8448eb211c80319c';
const callerId = 'b7ad6b7169203331';

function traceWith(place: Partial<CallTrace> = {}): CallTrace {
  return new CallTrace({ traceId, isSampled: true, parent: undefined, link: undefined, ...place });
}

const callOf = (given: Partial<CallRecord> = {}): CallRecord => ({
  method: '/Users/GetUsers',
  protocol: 'grpc',
  error: undefined,
  startedAtMs: 1000,
  endedAtMs: 1004.5,
  timeoutMs: 30_000,
  hasDeadline: false,
  peer: '[::1]:4711',
  caller: undefined,
  requestId: 'id-1',
  headers: { ':authority': 'users.example:443' },
  receivedMessages: 1,
  receivedBytes: 1,
  sentMessages: 1,
  sentBytes: 1,
  trace: undefined,
  isQuiet: false,
  ...given,
});

/** What OTLP has of a call that took from 1000 to 1004.5 ms. */
function sent(call: Partial<CallRecord>, trace = traceWith()) {
  const ended = {
    call: callOf(call),
    trace,
    status: call.error?.code ?? 0,
  };
  const bytes = JsonTraceSerializer.serializeRequest(spansOf(ended, source));
  assert.ok(bytes !== undefined);
  const { resourceSpans } = JSON.parse(Buffer.from(bytes).toString());
  const { spans } = resourceSpans[0].scopeSpans[0];
  return spans.map((span: { attributes: { key: string; value: object }[] }) => ({
    ...span,
    attributes: Object.fromEntries(span.attributes.map(({ key, value }) => [key, Object.values(value)[0]])),
  }));
}

describe('the span of a call', () => {
  it('says what it was, whose, and where', () => {
    const parent = { traceId, spanId: callerId, isSampled: true };
    const trace = traceWith({ parent });
    trace.enteredAtMs = 1001;
    trace.invokedAtMs = 1002;
    const caller = { id: 'key:billing', kind: 'key', name: 'billing', scopes: new Set<string>() } as const;
    const [span, ...others] = sent({ caller }, trace);
    assert.deepEqual(others, []);
    assert.equal(span.name, 'Users/GetUsers');
    assert.equal(span.kind, 2); // SERVER
    assert.equal(span.traceId, traceId);
    assert.equal(span.spanId, trace.spanId);
    assert.equal(span.parentSpanId, callerId);
    assert.deepEqual(span.status, { code: 0 });
    assert.deepEqual(span.attributes, {
      'rpc.system.name': 'grpc',
      'rpc.method': 'Users/GetUsers',
      'rpc.status_code': 'OK',
      'rpc.request.metadata.x-request-id': { values: [{ stringValue: 'id-1' }] },
      'network.peer.address': '::1',
      'network.peer.port': 4711,
      'server.address': 'users.example',
      'server.port': 443,
      'enduser.id': 'key:billing',
    });
    const nanos = (time: string) => BigInt(time);
    assert.equal(nanos(span.endTimeUnixNano) - nanos(span.startTimeUnixNano), 4_500_000n);
    assert.deepEqual(
      span.events.map((it: { name: string; timeUnixNano: string }) => [
        it.name,
        Number(nanos(it.timeUnixNano) - nanos(span.startTimeUnixNano)) / 1e6,
      ]),
      [
        ['admitted', 1],
        ['request read', 2],
      ],
    );
  });

  const systems: [protocol: string, system: string, kind: number][] = [
    ['grpc', 'grpc', 2],
    ['grpc-web', 'grpc', 2],
    ['connect', 'connectrpc', 2],
    ['local', 'local', 1],
  ];
  for (const [protocol, system, kind] of systems) {
    it(`is of ${system} for ${protocol}`, () => {
      const [span] = sent({ protocol });
      assert.equal(span.attributes['rpc.system.name'], system);
      assert.equal(span.kind, kind);
    });
  }

  it('has no path that leads nowhere, and no authority that is none', () => {
    const [span] = sent({ method: '(unknown)', headers: { host: 'a b<script>' }, peer: 'unix' });
    assert.equal(span.name, 'grpc');
    assert.equal(span.attributes['rpc.method'], '_OTHER');
    for (const name of ['server.address', 'network.peer.address']) assert.ok(!(name in span.attributes));
  });

  const plain = { method: '/users/', protocol: 'http' };

  it('of plain HTTP has its route, and the status of its answer', () => {
    const [span] = sent({ ...plain, http: { method: 'GET', status: 404 } });
    assert.equal(span.name, 'GET /users/');
    assert.equal(span.attributes['http.route'], '/users/');
    assert.equal(span.attributes['http.request.method'], 'GET');
    assert.equal(span.attributes['http.response.status_code'], 404);
    assert.ok(!('rpc.method' in span.attributes));
  });

  it('of plain HTTP without an answer has no status', () => {
    const [span] = sent({ ...plain, http: { method: 'GET', status: undefined } });
    assert.ok(!('http.response.status_code' in span.attributes));
  });

  it('has no method that HTTP has not', () => {
    const verb = 'A'.repeat(60_000);
    const [span] = sent({ ...plain, headers: { ':method': verb }, http: { method: verb, status: 405 } });
    assert.equal(span.name, 'HTTP /users/');
    assert.equal(span.attributes['http.request.method'], '_OTHER');
  });

  it("names the caller's span where that is not followed", () => {
    const [span] = sent(
      {},
      traceWith({ link: { traceId: 'f'.repeat(32), spanId: callerId, isSampled: false } }),
    );
    assert.equal(span.parentSpanId, undefined);
    assert.equal(span.links[0].traceId, 'f'.repeat(32));
    assert.equal(span.links[0].spanId, callerId);
  });

  const codes: [code: Code, isError: boolean][] = [
    [Code.InvalidArgument, false],
    [Code.NotFound, false],
    [Code.Unauthenticated, false],
    [Code.DeadlineExceeded, true],
    [Code.Unavailable, true],
    [Code.Internal, true],
    [Code.Unknown, true],
  ];
  for (const [code, isError] of codes) {
    it(`is ${isError ? '' : 'not '}an error for ${Code[code]}`, () => {
      const [span] = sent({ error: new ConnectError('no', code) });
      assert.deepEqual(span.status, { code: isError ? 2 : 0 });
      assert.equal(span.attributes['error.type'], span.attributes['rpc.status_code']);
      assert.match(span.attributes['error.type'], /^[A-Z_]+$/);
    });
  }

  it('has the type of what a fault came from, and nothing of what that says', () => {
    const secret = 'hunter2';
    const cause = new SyntaxError(`Unexpected token in "${secret}"`);
    const error = new ConnectError('internal error', Code.Internal, undefined, undefined, cause);
    const spans = sent({ error });
    assert.deepEqual(spans[0].events.at(-1).attributes, [
      { key: 'exception.type', value: { stringValue: 'SyntaxError' } },
    ]);
    assert.ok(!JSON.stringify(spans).includes(secret));
  });

  it('is sampled also where it was only kept', () => {
    const spans = spansOf({ call: callOf(), trace: traceWith({ isSampled: false }), status: 13 }, source);
    assert.equal(spans[0]?.spanContext().traceFlags, 1);
  });
});

it('work in a call is a child of it: CLIENT where it is a database, and an error where it failed', async () => {
  const trace = traceWith();
  const handler = { values: createContextValues().set(traceKey, trace) };
  await inSpan(handler, 'find', { 'db.system.name': 'sqlite' }, async () => {});
  await inSpan(handler, 'hash', {}, async () => {});
  await assert.rejects(inSpan(handler, 'fail', {}, () => Promise.reject(new RangeError('no'))));
  trace.begin('goes on');
  const [root, find, hash, fail, open] = sent({ startedAtMs: 0, endedAtMs: performance.now() }, trace);
  for (const child of [find, hash, fail, open]) {
    assert.equal(child.traceId, root.traceId);
    assert.equal(child.parentSpanId, root.spanId);
    assert.ok(BigInt(child.endTimeUnixNano) >= BigInt(child.startTimeUnixNano));
  }
  assert.equal(find.kind, 3);
  assert.deepEqual(find.attributes, { 'db.system.name': 'sqlite' });
  assert.equal(hash.kind, 1);
  assert.deepEqual(fail.status, { code: 2 });
  assert.equal(fail.attributes['error.type'], 'RangeError');
});

describe('a span has an end', () => {
  const long = 'x'.repeat(60_000);
  const caller = { id: long, kind: 'key', name: long, scopes: new Set<string>() } as const;
  const hostile = {
    caller,
    method: `/${long}`,
    peer: long,
    requestId: 'r'.repeat(128),
    headers: { ':method': long, ':authority': long, host: long, traceparent: long, 'user-agent': long },
    http: { method: long, status: 400 },
  };

  for (const protocol of ['grpc', 'connect', 'http']) {
    it(`whatever clients and services write, over ${protocol}`, () => {
      const trace = traceWith();
      trace.begin(long, { 'db.query.text': long });
      const spans = sent({ ...hostile, protocol }, trace);
      for (const span of spans) assert.ok(JSON.stringify(span).length < 4096);
    });
  }

  it('also in memory: a path keeps no query', () => {
    let count = 0;
    const make = () => {
      count += 1;
      const path = `/users.v1/of-a-name/?${'q'.repeat(60_000)}${count}`.split('?', 1)[0] ?? '';
      const call = callOf({ method: path, protocol: 'http', http: { method: 'GET', status: 200 } });
      return spansOf({ call, trace: traceWith(), status: 0 }, source);
    };
    assertHeapBytes(make, 8192, 'the span of a call');
  });
});

it('the clock tells the time of day, and its nanoseconds have nine digits', () => {
  const clock = new WallClock();
  clock.follow();
  for (let count = 0; count < 1000; count += 1) {
    const [seconds, nanos] = clock.at(performance.now());
    assert.ok(nanos >= 0 && nanos < 1e9);
    assert.ok(Math.abs(seconds - Date.now() / 1000) < 2);
  }
});
