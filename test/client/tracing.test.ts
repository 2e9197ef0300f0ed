// Proves that a client with a tracer makes a span of each call, with its retries and its end, whose place in the trace
// the server gets; that this counts as metadata; and that a Tracer of the OpenTelemetry API fits.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { trace } from '@opentelemetry/api';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { type ClientOptions, openClient, type Tracer } from '../../client/client.ts';
import { protocols } from '../../client/transport/transport.ts';
import { serve } from '../rpc/echo.ts';
import { Echo } from '../rpc/gen/echo_pb.js';
import { all, endsWith } from '../support/outcome.ts';
import { closeBefore, type Serving } from '../support/server.ts';

const noRetries = { maxAttempts: 1 };

/** A tracer of OpenTelemetry's SDK, and the spans that it has ended. */
function realTracer() {
  const exporter = new InMemorySpanExporter();
  const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
  const tracer = provider.getTracer('test');
  return { tracer, ended: () => exporter.getFinishedSpans() };
}

function connect(serving: Serving, tracer: Tracer, options: Partial<ClientOptions> = {}) {
  const client = openClient(Echo, { endpoint: serving.url, tracer, repeatable: () => true, ...options });
  closeBefore(serving, () => client.close());
  return client.call;
}

for (const protocol of protocols) {
  describe(`a call over ${protocol}`, () => {
    it('has a span, and the server its place', async (t) => {
      let got: string | null = '';
      const serving = await serve(t, {
        unary: (_, context) => {
          got = context.requestHeader.get('traceparent');
          return {};
        },
      });
      const { tracer, ended } = realTracer();
      await connect(serving, tracer, { protocol }).unary({});
      const [span, ...others] = ended();
      assert.ok(span !== undefined && others.length === 0);
      const { traceId, spanId } = span.spanContext();
      assert.equal(got, `00-${traceId}-${spanId}-01`);
      assert.equal(span.name, 'test.echo.v1.Echo/Unary');
      assert.equal(span.kind, 2);
      assert.deepEqual(span.attributes, {
        'rpc.system.name': protocol === 'connect' ? 'connectrpc' : 'grpc',
        'rpc.method': 'test.echo.v1.Echo/Unary',
        'server.address': '127.0.0.1',
        'server.port': serving.port,
        'rpc.status_code': 'OK',
      });
    });

    it('that fails has its status, and a stream ends its span once', async (t) => {
      const serving = await serve(t, {
        async *serverStream() {
          yield {};
          throw new ConnectError('no', Code.FailedPrecondition);
        },
      });
      const { tracer, ended } = realTracer();
      const call = connect(serving, tracer, { protocol });
      await endsWith(Code.FailedPrecondition, all(call.serverStream({})));
      const [span, ...others] = ended();
      assert.ok(span !== undefined && others.length === 0);
      assert.equal(span.attributes['error.type'], 'FAILED_PRECONDITION');
      assert.equal(span.attributes['rpc.status_code'], 'FAILED_PRECONDITION');
      assert.equal(span.status.code, 2);
    });
  });
}

it('a span has the retries of its call', async (t) => {
  let calls = 0;
  const serving = await serve(t, {
    unary: () => {
      calls += 1;
      if (calls < 3) throw new ConnectError('not yet', Code.Unavailable);
      return {};
    },
  });
  const { tracer, ended } = realTracer();
  await connect(serving, tracer, { retry: { initialBackoffMs: 1, maxBackoffMs: 1 } }).unary({});
  const [span] = ended();
  assert.deepEqual(
    span?.events.map(({ name, attributes }) => [name, attributes?.['rpc.status_code']]),
    [
      ['retry', 'UNAVAILABLE'],
      ['retry', 'UNAVAILABLE'],
    ],
  );
  assert.equal(span?.attributes['rpc.retries'], 2);
  assert.equal(span?.attributes['rpc.status_code'], 'OK');
});

it('a stream that is left, and one of many requests, end their spans', async (t) => {
  const serving = await serve(t, {
    async *serverStream(_, { signal }) {
      while (!signal.aborted) {
        yield {};
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
    async *bidi(requests) {
      for await (const _ of requests) yield {};
    },
  });
  const { tracer, ended } = realTracer();
  const call = connect(serving, tracer, { retry: noRetries });
  for await (const _ of call.serverStream({})) break;
  async function* three() {
    for (let count = 0; count < 3; count += 1) yield {};
  }
  assert.equal((await all(call.bidi(three()))).length, 3);
  assert.deepEqual(
    ended().map(({ name }) => name.split('/')[1]),
    ['ServerStream', 'Bidi'],
  );
});

it('its place replaces what a call says of a trace; baggage goes as it is; both count as metadata', async (t) => {
  let got: Headers | undefined;
  const serving = await serve(t, {
    unary: (_, context) => {
      got = context.requestHeader;
      return {};
    },
  });
  const { tracer, ended } = realTracer();
  const call = connect(serving, tracer, { metadata: { baggage: 'a=1' } });
  await call.unary({}, { headers: { traceparent: 'mine', Tracestate: 'x=1', other: 'o' } });
  assert.match(got?.get('traceparent') ?? '', new RegExp(ended()[0]?.spanContext().traceId ?? '?'));
  assert.equal(got?.get('tracestate'), null);
  assert.equal(got?.get('baggage'), 'a=1');
  assert.equal(got?.get('other'), 'o');
  // Without the place it fits: 60 KiB, as HTTP/2 counts.
  const headers = { filling: 'f'.repeat(60 * 1024 - 'filling'.length - 32 - ('baggage'.length + 3 + 32)) };
  await endsWith(Code.ResourceExhausted, call.unary({}, { headers }));
  assert.equal(ended().at(-1)?.attributes['error.type'], 'RESOURCE_EXHAUSTED');
});

it('without an SDK nothing is sent of a trace', async (t) => {
  let got: string | null = '';
  const serving = await serve(t, {
    unary: (_, context) => {
      got = context.requestHeader.get('traceparent');
      return {};
    },
  });
  await connect(serving, trace.getTracer('none')).unary({});
  assert.equal(got, null);
});

it('calls of other services over the transport have spans too', async (t) => {
  const serving = await serve(t, { unary: () => ({}) });
  const { tracer, ended } = realTracer();
  const client = openClient(Echo, { endpoint: serving.url, tracer });
  closeBefore(serving, () => client.close());
  await createClient(Echo, client.transport).unary({});
  assert.equal(await client.health(), 'SERVING');
  assert.deepEqual(
    ended().map(({ name }) => name),
    ['test.echo.v1.Echo/Unary', 'grpc.health.v1.Health/Check'],
  );
});
