// Proves that the line of a call has the ids of its trace, also where nothing records; that a method passes the trace
// on; and that calls that it makes within the process are a part of it.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createClient, type HandlerContext } from '@connectrpc/connect';
import type { CallRecord, TracingOptions } from '../../../functions/rpc/index.ts';
import { type TraceHeaders, traceHeaders } from '../../../functions/rpc/index.ts';
import { nameOf, wires } from '../../support/transports.ts';
import { echoOf, serve } from '../echo.ts';
import { Echo } from '../gen/echo_pb.js';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const spanId = 'b7ad6b7169203331';
const traceparent = `00-${traceId}-${spanId}-01`;
const follow: TracingOptions = { followsParents: true, ratio: 0 };
const link: TracingOptions = { followsParents: false, ratio: 0 };

for (const wire of wires) {
  describe(`the line of a call over ${nameOf(wire)}`, () => {
    it("has the caller's span where nothing records", async (t) => {
      const serving = await serve(t, { unary: () => ({}) });
      await echoOf(serving, wire).unary({}, { headers: { traceparent } });
      const line = await serving.line(() => true);
      assert.equal(line.traceId, traceId);
      assert.equal(line.spanId, spanId);
    });

    it('has its own span where something does', async (t) => {
      const serving = await serve(t, { unary: () => ({}) }, { telemetry: { tracing: follow } });
      await echoOf(serving, wire).unary({}, { headers: { traceparent } });
      const line = await serving.line(() => true);
      assert.equal(line.traceId, traceId);
      assert.match(String(line.spanId), /^[0-9a-f]{16}$/);
      assert.notEqual(line.spanId, spanId);
    });
  });
}

it('a call that is in no trace has no ids in its line', async (t) => {
  const serving = await serve(t, { unary: () => ({}) });
  await echoOf(serving, { protocol: 'grpc', http: '2' }).unary({}, { headers: { traceparent: 'x' } });
  const line = await serving.line(() => true);
  assert.equal(line.traceId, undefined);
  assert.equal(line.spanId, undefined);
});

describe('a method passes on', () => {
  const given = { traceparent, tracestate: 'a=1', baggage: 'user=ann' };
  const cases: [
    what: string,
    TracingOptions | undefined,
    headers: Record<string, string>,
    expected: object,
  ][] = [
    ['what came in, where nothing records', undefined, given, given],
    [
      'of a later version what we know, where nothing records',
      undefined,
      { traceparent: `cc${traceparent.slice(2)}-what-else` },
      { traceparent },
    ],
    [
      'nothing of one without an end',
      undefined,
      { traceparent: `cc${traceparent.slice(2)}-${'x'.repeat(10_000)}` },
      {},
    ],
    ['nothing that is not valid', undefined, { traceparent: 'x', tracestate: 'a=1', baggage: 'b' }, {}],
    ['its own span, with what came along', follow, given, { ...given, traceparent: 'own' }],
    ['its own span alone, where callers are linked', link, given, { traceparent: 'own' }],
    ['baggage that came without a trace', follow, { baggage: 'a=1' }, { traceparent: 'own', baggage: 'a=1' }],
  ];
  for (const [what, tracing, headers, expected] of cases) {
    it(what, async (t) => {
      let passed: TraceHeaders = {};
      const unary = (_: unknown, context: HandlerContext) => {
        passed = traceHeaders(context);
        return {};
      };
      const serving = await serve(t, { unary }, tracing && { telemetry: { tracing } });
      await echoOf(serving, { protocol: 'grpc', http: '2' }).unary({}, { headers });
      const line = await serving.line(() => true);
      const own = new RegExp(`^00-${line.traceId}-${line.spanId}-0[01]$`);
      const shown = own.test(passed.traceparent ?? '') ? { ...passed, traceparent: 'own' } : passed;
      assert.deepEqual(tracing === undefined ? passed : shown, expected);
    });
  }
});

it('calls that a method or a resource makes within the process are its children', async (t) => {
  const calls: CallRecord[] = [];
  const serving = await serve(
    t,
    {
      unary: async (_, context) => {
        const local = createClient(Echo, serving.server.local);
        await local.get({}, { headers: traceHeaders(context) });
        return {};
      },
      get: () => ({}),
    },
    {
      telemetry: { tracing: link, observers: [{ ended: (call) => void calls.push(call) }] },
      http: (local) => [
        {
          paths: ['/try'],
          methods: ['GET'],
          headers: [],
          errorText: (error) => error.rawMessage,
          isQuiet: false,
          async answer(request) {
            await createClient(Echo, local).get({}, request.callOptions());
          },
        },
      ],
    },
  );
  await echoOf(serving, { protocol: 'grpc', http: '2' }).unary({}, { headers: { traceparent } });
  assert.equal((await fetch(`${serving.url}/try`, { headers: { traceparent, baggage: 'a=1' } })).status, 200);
  const [ofMethod, method, ofResource, resource] = calls.map((it) => it.trace);
  for (const [child, parent] of [
    [ofMethod, method],
    [ofResource, resource],
  ]) {
    assert.equal(child?.traceId, parent?.traceId);
    assert.equal(child?.parent?.spanId, parent?.spanId);
    assert.equal(parent?.parent, undefined);
    assert.equal(parent?.link?.spanId, spanId);
  }
  assert.equal(calls[2]?.headers.baggage, undefined);
});
