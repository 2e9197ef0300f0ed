// Proves that what calls hold in memory is counted, and given back to the last byte, whatever happens to them and in
// whatever order; that a connection, a client and all together have a share each, beyond which a call is refused before
// its message is inflated; and that others do not notice.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { Code, ConnectError, type ServiceImpl } from '@connectrpc/connect';
import { compressionGzip } from '@connectrpc/connect-node';
import fc from 'fast-check';
import { Call } from '../../../functions/rpc/call/call.ts';
import { MemoryBudget } from '../../../functions/rpc/call/memory-budget.ts';
import { draining } from '../../../functions/rpc/errors.ts';
import { rpcLimits } from '../../../functions/rpc/limits.ts';
import { frame } from '../../support/frames.ts';
import { all } from '../../support/outcome.ts';
import { eventually } from '../../support/patience.ts';
import { nameOf, timeoutHeader, wires } from '../../support/transports.ts';
import { echoOf, serve } from '../echo.ts';
import { echoService } from '../echo-service.ts';
import { Echo, type EchoRequest, EchoRequestSchema, type EchoResponseSchema } from '../gen/echo_pb.js';
import { MemoryExchange, serveInMemory } from '../memory-exchange.ts';

type Response = MessageInitShape<typeof EchoResponseSchema>;

function message(init: MessageInitShape<typeof EchoRequestSchema>): Uint8Array {
  return toBinary(EchoRequestSchema, create(EchoRequestSchema, init));
}

function loopTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe('the budget', () => {
  it('never counts more than a share, and what it refuses is not counted', () => {
    const limits = {
      ...rpcLimits,
      maxHeldBytes: 100,
      maxHeldBytesPerClient: 60,
      maxHeldBytesPerConnection: 40,
    };
    const step = fc.tuple(fc.nat(2), fc.integer({ min: -50, max: 50 }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const budget = new MemoryBudget(limits);
        const clients = [{ heldBytes: 0 }, { heldBytes: 0 }] as const;
        // Two connections of one client, and one of the other.
        const connections = [0, 1, 2].map((at) => ({ heldBytes: 0, client: clients[at < 2 ? 0 : 1] }));
        const model = [0, 0, 0];
        const sum = (...at: number[]) => at.reduce((total, it) => total + (model[it] ?? 0), 0);
        for (const [at, bytes] of steps) {
          const connection = connections[at] ?? assert.fail();
          if (bytes < 0) {
            const released = Math.min(-bytes, model[at] ?? 0);
            budget.release(connection, connection.client, released);
            model[at] = sum(at) - released;
          } else {
            const ofClient = at < 2 ? sum(0, 1) : sum(2);
            const isPossible = sum(0, 1, 2) + bytes <= 100 && ofClient + bytes <= 60 && sum(at) + bytes <= 40;
            assert.equal(budget.hold(connection, connection.client, bytes), isPossible);
            if (isPossible) model[at] = sum(at) + bytes;
          }
          assert.deepEqual(
            connections.map(({ heldBytes }) => heldBytes),
            model,
          );
          assert.deepEqual(
            clients.map(({ heldBytes }) => heldBytes),
            [sum(0, 1), sum(2)],
          );
          assert.equal(budget.heldBytes, sum(0, 1, 2));
        }
      }),
    );
  });
});

describe('what calls hold', () => {
  /** What happens to a call, in any order. */
  const event = fc.oneof(
    fc.record({ kind: fc.constant('message' as const), text: fc.nat(9_000), isGzip: fc.boolean() }),
    fc.record({ kind: fc.constant('bytes' as const), bytes: fc.uint8Array({ maxLength: 30 }) }),
    fc.record({
      kind: fc.constantFrom(
        'end',
        'turn',
        'turns',
        'full',
        'drain',
        'close',
        'abort',
        'read',
        'yield',
        'stop',
      ),
    }),
  );
  const scene = fc.record({
    method: fc.constantFrom('Unary', 'ServerStream', 'ClientStream', 'Bidi'),
    protocol: fc.constantFrom(
      'application/grpc',
      'application/grpc-web',
      'application/connect+proto',
      'application/proto',
    ),
    events: fc.array(event, { maxLength: 25 }),
  });

  it('is given back when they are gone, whatever happens to them', async () => {
    let succeeded = 0;
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(scene, { minLength: 1, maxLength: 4 }), async (scenes) => {
        const limits = { maxHeldBytes: 40_000, maxHeldBytesPerConnection: 30_000, maxQueuedBytes: 2_000 };
        const puppet = new Puppet();
        const served = serveInMemory((router) => router.service(Echo, puppet.service), { limits });
        const { memory } = served.policy;
        const connection = served.connect();
        const exchanges = scenes.map(({ method, protocol }) => {
          const headers = {
            'content-type': protocol,
            'grpc-encoding': 'gzip',
            'connect-content-encoding': 'gzip',
            'grpc-accept-encoding': 'identity',
          };
          const exchange = new MemoryExchange(connection, `/test.echo.v1.Echo/${method}`, headers);
          served.router.accept(exchange);
          return exchange;
        });
        const longest = Math.max(...scenes.map(({ events }) => events.length));
        for (let at = 0; at < longest; at++) {
          for (const [which, { events }] of scenes.entries()) {
            const exchange = exchanges[which];
            const happening = events[at];
            if (exchange === undefined || happening === undefined || exchange.isCut) continue;
            await happen(exchange, happening, puppet);
            assert.ok(
              memory.heldBytes >= 0 && memory.heldBytes <= 30_000,
              `${memory.heldBytes} bytes are held`,
            );
            assert.equal(connection.heldBytes, memory.heldBytes);
            assert.equal(connection.client.heldBytes, memory.heldBytes);
          }
        }
        puppet.endAll();
        for (let turn = 0; turn < 5; turn++) await loopTurn();
        for (const exchange of exchanges) exchange.cut();
        for (let turn = 0; turn < 5; turn++) await loopTurn();
        assert.equal(memory.heldBytes, 0);
        assert.equal(connection.heldBytes, 0);
        assert.equal(connection.client.heldBytes, 0);
        assert.equal(served.ended.length, exchanges.length, 'a call has not ended');
        assert.deepEqual(served.policy.wheel.list(), [], 'a call is still timed');
        succeeded += served.ended.filter(({ code }) => code === 0).length;
        refused += served.ended.filter(({ code }) => code === Code.ResourceExhausted).length;

        async function happen(
          exchange: MemoryExchange,
          it: (typeof scenes)[number]['events'][number],
          { reads, yields }: Puppet,
        ) {
          const { receiver } = exchange;
          if (exchange.isCut) return;
          switch (it.kind) {
            case 'message': {
              const payload = message({ text: 'x'.repeat('text' in it ? it.text : 0) });
              const isGzip = 'isGzip' in it && it.isGzip;
              return receiver?.received(isGzip ? frame(gzipSync(payload), 1) : frame(payload));
            }
            case 'bytes':
              return receiver?.received(Buffer.from('bytes' in it ? it.bytes : []));
            case 'end':
              return receiver?.receivedAll();
            case 'turn':
              return loopTurn();
            case 'turns':
              for (let turn = 0; turn < 10; turn++) await loopTurn();
              return;
            case 'full':
              exchange.isFull = true;
              return;
            case 'drain':
              exchange.isFull = false;
              return receiver?.drained();
            case 'close':
              return exchange.cut();
            case 'abort':
              if (receiver instanceof Call) receiver.abort(draining());
              return;
            case 'read':
              for (const go of reads.splice(0)) go();
              return;
            case 'yield':
              for (const go of yields.splice(0)) go(false);
              return;
            case 'stop':
              for (const go of yields.splice(0)) go(true);
              return;
          }
        }
      }),
      { numRuns: 300, endOnFailure: true },
    );
    assert.ok(succeeded > 0 && refused > 0, `${succeeded} calls succeeded, ${refused} were refused`);
  });

  it('is given back by a stream whose method reads no further, while the call goes on', async () => {
    const go = Promise.withResolvers<void>();
    const served = serveInMemory(
      (router) =>
        router.service(Echo, {
          async *bidi(requests) {
            for await (const { text } of requests) {
              yield { text: text.slice(0, 5) };
              break;
            }
            await go.promise;
            yield { text: 'end' };
          },
        }),
      { limits: { maxHeldBytesPerConnection: 100_000 } },
    );
    const headers = { 'content-type': 'application/grpc' };
    const exchange = new MemoryExchange(served.connect(), '/test.echo.v1.Echo/Bidi', headers);
    served.router.accept(exchange);
    for (let sent = 0; sent < 50; sent++) {
      exchange.receiver?.received(frame(message({ text: 'x'.repeat(10_000) })));
      await loopTurn();
    }
    assert.deepEqual(served.ended, [], 'what nobody reads was held against the call');
    go.resolve();
    exchange.receiver?.receivedAll();
    assert.ok(await eventually(() => exchange.isEnded));
    assert.deepEqual(served.ended, [{ code: 0, error: undefined }]);
    exchange.cut();
    assert.equal(served.policy.memory.heldBytes, 0);
  });
});

describe('a share', () => {
  const request = message({ text: 'x'.repeat(100_000) });
  const exhausted = /hold too much memory/;

  /** A server whose calls hang, and calls of it from connections of clients. */
  function hang(limits: Partial<typeof rpcLimits>) {
    let begun = 0;
    const served = serveInMemory(
      (router) =>
        router.service(Echo, {
          unary: () => {
            begun += 1;
            return new Promise(() => {});
          },
        }),
      { limits },
    );
    const open = (connection = served.connect()) => {
      const headers = { 'content-type': 'application/grpc', 'grpc-encoding': 'gzip' };
      const exchange = new MemoryExchange(connection, '/test.echo.v1.Echo/Unary', headers);
      served.router.accept(exchange);
      return exchange;
    };
    return {
      ...served,
      open,
      /** Whether a call gets to its method, or is refused for want of memory. */
      async isLetIn(connection: MemoryExchange['connection'], body = frame(request)): Promise<boolean> {
        const before = begun;
        const exchange = open(connection);
        exchange.receiver?.received(body);
        exchange.receiver?.receivedAll();
        assert.ok(await eventually(() => begun > before || exchange.isEnded));
        if (begun > before) return true;
        assert.match(served.ended.at(-1)?.error ?? '', exhausted);
        assert.match(exchange.head, /grpc-status 8/);
        exchange.cut();
        return false;
      },
    };
  }

  for (const [share, limits, others] of [
    ['connection', { maxHeldBytesPerConnection: 1_000_000 }, { sameClient: true, otherClient: true }],
    ['client', { maxHeldBytesPerClient: 1_000_000 }, { sameClient: false, otherClient: true }],
    ['server', { maxHeldBytes: 1_000_000 }, { sameClient: false, otherClient: false }],
  ] as const) {
    for (const [what, body] of [
      ['as they come', frame(request)],
      ['compressed', frame(gzipSync(request), 1)],
    ] as const) {
      it(`of a ${share} bounds what messages hold, ${what}, and nobody else’s`, async () => {
        const { connect, isLetIn, policy } = hang(limits);
        const connection = connect();
        let calls = 0;
        while (await isLetIn(connection, body)) calls += 1;
        assert.ok(calls > 1 && calls < 10, `${calls} calls were let in`);
        assert.ok(policy.memory.heldBytes <= 1_000_000);
        assert.equal(await isLetIn(connection, body), false);
        assert.equal(await isLetIn(connect(), body), others.sameClient);
        assert.equal(await isLetIn(connect('192.0.2.2'), body), others.otherClient);
      });
    }
  }

  it('is there again when a call has gone', async () => {
    const { open, connect, isLetIn } = hang({ maxHeldBytesPerConnection: 500_000 });
    const connection = connect();
    const first = open(connection);
    first.receiver?.received(frame(request));
    first.receiver?.receivedAll();
    while (await isLetIn(connection)) {
      // as many as there may be
    }
    first.cut();
    assert.equal(await isLetIn(connection), true);
  });

  it('is asked for before a message is inflated', async () => {
    const { connect, open, ended } = hang({ maxHeldBytesPerConnection: 50_000, maxInflateRatio: 1_000 });
    const exchange = open(connect());
    exchange.receiver?.received(frame(gzipSync(request), 1));
    exchange.receiver?.receivedAll();
    // Inflating takes a turn of the loop at least: it is done beside it.
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    assert.equal(ended.length, 1);
    assert.match(ended[0]?.error ?? '', exhausted);
  });

  it('is asked for before more of a message is taken', async () => {
    const { connect, open, ended, policy } = hang({ maxHeldBytesPerConnection: 50_000 });
    const exchange = open(connect());
    const bytes = frame(request);
    const openBytes = policy.memory.heldBytes;
    exchange.receiver?.received(bytes.subarray(0, 40_000));
    assert.equal(policy.memory.heldBytes, openBytes + 40_000);
    exchange.receiver?.received(bytes.subarray(40_000));
    assert.match(ended[0]?.error ?? '', exhausted);
  });

  it('bounds what is queued for a client that does not read, whatever its messages are', async () => {
    for (const [type, body] of [
      ['application/grpc', frame(Buffer.alloc(0))],
      ['application/grpc-web-text', Buffer.from(frame(Buffer.alloc(0)).toString('base64'))],
      ['application/connect+json', frame(Buffer.from('{}'))],
    ] as const) {
      const served = serveInMemory(
        (router) =>
          router.service(Echo, {
            async *serverStream() {
              for (;;) yield { pad: new Uint8Array(30_000) };
            },
          }),
        { limits: { maxHeldBytesPerConnection: 400_000 } },
      );
      const connection = served.connect();
      const exchanges = Array.from({ length: 20 }, () => {
        const exchange = new MemoryExchange(connection, '/test.echo.v1.Echo/ServerStream', {
          'content-type': type,
        });
        exchange.isFull = true;
        served.router.accept(exchange);
        exchange.receiver?.received(body);
        exchange.receiver?.receivedAll();
        return exchange;
      });
      assert.ok(await eventually(() => exchanges.some(({ isCut }) => isCut)), type);
      assert.ok(served.policy.memory.heldBytes <= 400_000);
      for (const exchange of exchanges) exchange.cut();
      assert.equal(served.policy.memory.heldBytes, 0);
    }
  });

  it('bounds the one message of an answer: the client is told', async () => {
    for (const [type, told] of [
      ['application/grpc', /grpc-status 8/],
      ['application/proto', /:status 429/],
    ] as const) {
      const served = serveInMemory(
        (router) => router.service(Echo, { unary: () => ({ pad: new Uint8Array(300_000) }) }),
        { limits: { maxHeldBytesPerConnection: 200_000 } },
      );
      const exchange = new MemoryExchange(served.connect(), '/test.echo.v1.Echo/Unary', {
        'content-type': type,
      });
      exchange.isFull = true;
      served.router.accept(exchange);
      if (type === 'application/grpc') exchange.receiver?.received(frame(Buffer.alloc(0)));
      exchange.receiver?.receivedAll();
      assert.ok(await eventually(() => exchange.isEnded || exchange.isCut));
      assert.match(exchange.head, told);
      assert.match(served.ended[0]?.error ?? '', exhausted);
    }
  });
});

for (const wire of wires) {
  it(`a client that holds too much is told so over ${nameOf(wire)}, and another is not affected`, async (t) => {
    const go = Promise.withResolvers<void>();
    let begun = 0;
    const unary = async ({ text }: { text: string }) => {
      begun += 1;
      if (text !== '') await go.promise;
      return {};
    };
    const serving = await serve(t, { unary }, { limits: { maxHeldBytesPerClient: 1_500_000 } });
    const large = { text: 'x'.repeat(200_000) };
    const sending = { sendCompression: compressionGzip };
    const echo = echoOf(serving, wire, sending);
    const codes: number[] = [];
    const calls: Promise<unknown>[] = [];
    // One after the other: those that come together may all be refused.
    while (!codes.includes(Code.ResourceExhausted)) {
      const settled = echo.unary(large).then(
        () => codes.push(0),
        (error) => codes.push(ConnectError.from(error).code),
      );
      assert.ok(calls.push(settled) < 20, 'none was refused');
      assert.ok(await eventually(() => begun === calls.length || codes.length > 0));
    }
    assert.ok(begun > 0, 'all were refused');
    const other = echoOf(serving, wire, { ...sending, localAddress: '127.0.0.2' });
    await other.unary({});
    go.resolve();
    await other.unary(large);
    await Promise.all(calls);
    assert.deepEqual([...new Set(codes)].sort(), [0, Code.ResourceExhausted]);
    assert.ok(await eventually(() => serving.server.usage.heldBytes === 0));
  });
}

for (const wire of wires) {
  it(`calls of every kind and every end leave nothing held over ${nameOf(wire)}`, async (t) => {
    const serving = await serve(t, echoService(new Map()), { limits: { maxQueuedBytes: 1_000 } });
    const plain = echoOf(serving, wire);
    const zipped = echoOf(serving, wire, {
      sendCompression: compressionGzip,
      acceptCompression: [compressionGzip],
      compressMinBytes: 10,
    });
    const text = 'x'.repeat(8_000);
    const failure = { code: Code.Aborted, message: 'asked for' };
    const brief = timeoutHeader(wire, 30);
    const canceled = () => ({ signal: AbortSignal.timeout(20) });
    async function* several(last: MessageInitShape<typeof EchoRequestSchema>) {
      for (let sent = 0; sent < 5; sent++) yield { text };
      yield last;
    }
    const firstOf = async (messages: AsyncIterable<unknown>) => {
      for await (const _ of messages) return;
    };
    const calls = (echo: typeof plain): Promise<unknown>[] => [
      echo.unary({ text, pad: 50_000 }),
      echo.unary({ text, failure }),
      echo.unary({ text, hang: true }, brief),
      echo.unary({ text, hang: true }, canceled()),
      all(echo.serverStream({ text, count: 20, pad: 9_000 })),
      all(echo.serverStream({ text, count: 20, failure })),
      all(echo.serverStream({ text, hang: true }, brief)),
      all(echo.serverStream({ text, count: 2 ** 30, pad: 9_000 }, brief)),
      firstOf(echo.serverStream({ text, count: 2 ** 30, pad: 9_000 }, canceled())),
      ...(wire.http === '1.1'
        ? []
        : [
            echo.clientStream(several({})),
            echo.clientStream(several({ failure })),
            echo.clientStream(several({ hang: true }), brief),
            all(echo.bidi(several({ count: 5, pad: 9_000 }))),
            all(echo.bidi(several({ text: 'last' }))),
            firstOf(echo.bidi(several({ count: 2 ** 30 }), canceled())),
          ]),
    ];
    for (let round = 0; round < 3; round++) {
      await Promise.allSettled([...calls(plain), ...calls(zipped)]);
    }
    assert.ok(
      await eventually(() => serving.server.usage.heldBytes === 0),
      JSON.stringify(serving.server.usage),
    );
    assert.equal(serving.server.usage.watches, 0);
    // The connections are still there.
    assert.equal(serving.server.usage.clients, 1);
    await plain.unary({});
  });
}

/** Methods that read and answer when they are told to. */
class Puppet {
  readonly reads: (() => void)[] = [];
  /** Told whether to stop. */
  readonly yields: ((isLast: boolean) => void)[] = [];
  #isEnding = false;

  readonly service: Partial<ServiceImpl<typeof Echo>> = {
    unary: async ({ text }) => {
      await this.#told();
      return { text };
    },
    serverStream: (request) => this.#answers(request),
    clientStream: async (requests) => {
      let last = '';
      for await (const { text } of this.#slowly(requests)) last = text;
      return { text: last };
    },
    bidi: (requests) => this.#echo(requests),
  };

  endAll(): void {
    this.#isEnding = true;
    for (const go of this.reads.splice(0)) go();
    for (const go of this.yields.splice(0)) go(true);
  }

  async *#answers({ text }: EchoRequest): AsyncGenerator<Response> {
    while (!(await this.#told())) yield { text };
  }

  async *#echo(requests: AsyncIterable<EchoRequest>): AsyncGenerator<Response> {
    for await (const request of this.#slowly(requests)) {
      yield { text: request.text };
      if (await this.#told()) break;
    }
    while (!(await this.#told())) yield {};
  }

  async *#slowly(requests: AsyncIterable<EchoRequest>): AsyncGenerator<EchoRequest> {
    for await (const request of requests) {
      yield request;
      if (!this.#isEnding) await new Promise<void>((resolve) => this.reads.push(resolve));
    }
  }

  async #told(): Promise<boolean> {
    return this.#isEnding || new Promise((resolve) => this.yields.push(resolve));
  }
}
