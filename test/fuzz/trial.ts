import type { Connection } from '../../functions/rpc/call/connection.ts';
import type { Exchange, Receiver } from '../../functions/rpc/http/exchange.ts';
import { Http2Connection } from '../../functions/rpc/http2/http2-connection.ts';
import { rpcLimits } from '../../functions/rpc/limits.ts';
import { ConnectionCounts } from '../../functions/rpc/telemetry/connection-counts.ts';
import { echoService } from '../rpc/echo-service.ts';
import { Echo } from '../rpc/gen/echo_pb.js';
import { serveInMemory } from '../rpc/memory-exchange.ts';
import { beginning, http2Frame } from '../support/http2-bytes.ts';
import { MemorySocket } from './memory-socket.ts';
import { OutputChecker } from './output-checker.ts';
import type { Action, Sequence } from './sequence.ts';
import type { VirtualTime } from './virtual-time.ts';

/** Small, so that short sequences reach them. */
const limits = {
  ...rpcLimits,
  maxConcurrentStreams: 8,
  streamWindowBytes: 65_535,
  connectionWindowBytes: 100_000,
  maxHeaderBytes: 8_000,
  maxHeaderPairs: 20,
  streamResetBurst: 20,
  glitchBurst: 50,
};
const patientLimits = { ...limits, streamResetBurst: 1_000, glitchBurst: 1_000, minPingIntervalMs: 0 };

const served = serveInMemory((router) => router.service(Echo, echoService(new Map())), {
  limits: patientLimits,
});

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
/** The codes by which a server may reset a stream of a client that has done nothing wrong. */
const politeResets: ReadonlySet<number> = new Set([0, 7, 8]); // NO_ERROR, REFUSED_STREAM, CANCEL

/** What went wrong outside of any call. */
export const escaped: unknown[] = [];

/** Lets everything happen that can happen without a client: a turn of the event loop, twice. */
async function turn(): Promise<void> {
  for (let count = 0; count < 2; count++) await new Promise((resolve) => setImmediate(resolve));
}

/** Plays a sequence on a connection. Returns what is wrong with what the server did, in words. */
export async function play({ actions, isPolite, app }: Sequence, time: VirtualTime): Promise<string[]> {
  const trial = new Trial(isPolite, app, time);
  for (const action of actions) await trial.act(action);
  return trial.finish();
}

class Trial {
  readonly #isPolite: boolean;
  readonly #app: Sequence['app'];
  readonly #time: VirtualTime;
  readonly #counts = new ConnectionCounts();
  readonly #checker = new OutputChecker(limits.connectionWindowBytes - 65_535);
  readonly #socket = new MemorySocket((bytes) => this.#checker.received(bytes));
  readonly #handlers: Handler[] = [];
  readonly #connection: Connection;
  readonly #http2: Http2Connection;
  /** What was sent and has not arrived. */
  #onTheWay: Buffer;
  #closedTimes = 0;
  /** Whether the client, or the server for a reason of its own, has ended the connection. */
  #isOver = false;
  #isStalled = false;
  readonly #faults: string[] = [];

  constructor(isPolite: boolean, app: Sequence['app'], time: VirtualTime) {
    this.#isPolite = isPolite;
    this.#app = app;
    this.#time = time;
    // Without it, hardly anything is polite.
    this.#onTheWay = isPolite ? beginning() : preface;
    if (isPolite) this.#checker.sentBytes(beginning().subarray(preface.length));
    const socket = this.#socket;
    this.#connection = { ...served.connect(), destroy: () => socket.destroy() };
    this.#http2 = new Http2Connection({
      socket,
      connection: this.#connection,
      limits: isPolite ? patientLimits : limits,
      memory: served.policy.memory,
      counts: this.#counts,
      onStream: (stream) => {
        if (app === 'calls') served.router.accept(stream);
        else this.#handlers.push(new Handler(stream, this.#faults));
      },
      onClosed: () => {
        this.#closedTimes += 1;
      },
    });
  }

  async act(action: Action): Promise<void> {
    switch (action.do) {
      case 'send':
        this.#onTheWay = Buffer.concat([this.#onTheWay, action.bytes]);
        this.#checker.sentBytes(action.bytes);
        return;
      case 'part':
        return this.#arrive(action.bytes);
      case 'turn':
        this.#arrive(this.#onTheWay.length);
        return turn();
      case 'wait':
        this.#arrive(this.#onTheWay.length);
        await turn();
        this.#time.advance(action.ms);
        // What is stalled, or silent, may be cut.
        if (action.ms > 10_000 || (action.ms > limits.goawayTimeoutMs && this.#isStalled))
          this.#isOver = true;
        return turn();
      case 'stall':
      case 'unstall':
        this.#isStalled = action.do === 'stall';
        return this.#socket.stall(action.do === 'stall');
      case 'handler':
        return this.#handlers[action.place % Math.max(1, this.#handlers.length)]?.work(action.work);
      case 'dismiss':
      case 'end':
        this.#isOver = true;
        return action.do === 'end' ? this.#http2.end.end() : this.#http2.end.dismiss();
      case 'hangUp':
        this.#isOver = true;
        return this.#socket.endInput();
    }
  }

  async finish(): Promise<string[]> {
    this.#arrive(this.#onTheWay.length);
    await turn();
    this.#socket.stall(false);
    await turn();
    await turn();
    this.#time.advance(100); // early answers, and their resets
    await turn();
    const checker = this.#checker;
    const code = checker.goaways.find((it) => it > 0);
    if (this.#isPolite && code !== undefined) this.#fault(`GOAWAY with ${code} for nothing`);
    if (this.#isPolite) {
      for (const [stream, it] of checker.resets) {
        if (!politeResets.has(it)) this.#fault(`stream ${stream} is reset with ${it} for nothing`);
      }
    }
    if (this.#closedTimes > 0 && code === undefined && !this.#isOver) this.#fault('closed without GOAWAY');
    if (this.#closedTimes === 0 && this.#isPolite && !this.#isOver) await this.#checkWindow();
    this.#socket.destroy();
    await turn();
    checker.end();
    for (const handler of this.#handlers) handler.check(this.#closedTimes > 0);
    if (this.#closedTimes !== 1) this.#fault(`onClosed was called ${this.#closedTimes} times`);
    if (this.#http2.streams.size > 0) this.#fault(`${this.#http2.streams.size} streams are left`);
    if (this.#counts.streams !== 0) this.#fault(`${this.#counts.streams} streams are counted`);
    for (const { message } of this.#socket.errors) this.#fault(`the socket: ${message}`);
    if (this.#app === 'calls') this.#checkCalls();
    else if (this.#time.pending > 0) this.#fault(`${this.#time.pending} timers are left`);
    this.#time.clear();
    for (const error of escaped.splice(0)) {
      this.#fault(`escaped: ${error instanceof Error ? error.stack : String(error)}`);
    }
    served.policy.clients.leave(this.#connection.client);
    return [...this.#faults, ...checker.faults];
  }

  #fault(what: string): void {
    this.#faults.push(what);
  }

  /**
   * Where all requests are read or given up, one more is sent, until the connection's window opens: then by all that
   * has come, those given up included.
   */
  async #checkWindow(): Promise<void> {
    if (this.#app === 'calls' || this.#http2.streams.size > 0) return;
    const checker = this.#checker;
    const send = (frame: Buffer) => this.act({ do: 'send', bytes: frame, what: 'the last request' });
    const stream = 1_000_001;
    const granted = checker.connectionGranted;
    await send(http2Frame(1, 4, stream, Buffer.from('838604052f68616e67410161', 'hex'))); // POST http /hang
    for (let count = 0; count < 8 && checker.connectionGranted === granted; count++) {
      await send(http2Frame(0, 0, stream, Buffer.alloc(8_000)));
      await this.act({ do: 'turn' });
    }
    const missing =
      checker.connectionReceived - (checker.connectionGranted - (limits.connectionWindowBytes - 65_535));
    if (missing !== 0) this.#fault(`${missing} bytes of the window are lost`);
  }

  #checkCalls(): void {
    const { memory, wheel, untimedCalls } = served.policy;
    this.#time.advance(400_000);
    if (memory.heldBytes !== 0) this.#fault(`${memory.heldBytes} bytes are held`);
    if (this.#connection.heldBytes !== 0) this.#fault('the connection holds bytes');
    if (this.#connection.client.calls !== 0)
      this.#fault(`${this.#connection.client.calls} calls are counted`);
    if (wheel.list().length > 0) this.#fault('a call waits for its deadline');
    if (untimedCalls.count !== 0) this.#fault('calls without deadline are counted');
  }

  #arrive(bytes: number): void {
    const part = this.#onTheWay.subarray(0, bytes);
    this.#onTheWay = this.#onTheWay.subarray(bytes);
    if (part.length > 0) this.#socket.arrive(part);
  }
}

/** A handler that does what its path says, and more when it is told to. */
class Handler implements Receiver {
  isClosed = false;
  readonly #exchange: Exchange;
  readonly #faults: string[];
  #closedTimes = 0;
  #bytes = 0;
  #isComplete = false;
  #isBegun = false;
  #isHeadersAlone = false;

  constructor(exchange: Exchange, faults: string[]) {
    this.#exchange = exchange;
    this.#faults = faults;
    const { url } = exchange;
    if (url === '/pause') exchange.pause();
    exchange.receive(this);
    if (url === '/early') this.#endWithHeaders(10);
    if (url === '/stream') {
      this.#begin();
      for (let count = 0; count < 4; count++) exchange.send(Buffer.alloc(9_000));
    }
    if (url === '/cut') exchange.cut();
    if (url === '/plain') {
      this.#begin();
      exchange.end(Buffer.alloc(30_000));
    }
  }

  received(chunk: Buffer): void {
    if (this.#isComplete) this.#faults.push('a part of a request follows its end');
    if (this.isClosed) this.#faults.push('a part of a request follows the end of its exchange');
    if (chunk.length === 0) this.#faults.push('an empty part of a request');
    this.#bytes += chunk.length;
  }

  receivedAll(): void {
    if (this.#isComplete || this.isClosed) this.#faults.push('a request ends twice, or after its exchange');
    this.#isComplete = true;
    if (this.#exchange.url === '/echo') this.#answer();
    if (this.#exchange.url === '/stream') this.#exchange.end(undefined, { 'x-end': '1' });
  }

  broken(): void {}

  drained(): void {
    if (this.isClosed) this.#faults.push('drained after the end');
    if (this.#exchange.url === '/stream') this.#exchange.send(Buffer.alloc(9_000));
  }

  closed(): void {
    this.isClosed = true;
    this.#closedTimes += 1;
  }

  /** What any handler may do at any time, also too late. */
  work(kind: number): void {
    const exchange = this.#exchange;
    if (kind === 0) exchange.resume();
    if (kind === 1) exchange.pause();
    if (kind === 2) exchange.cut();
    if (kind === 3) this.#answer();
    if (kind === 4) {
      this.#begin();
      if (this.#mayEnd) exchange.send(Buffer.alloc(20_000));
    }
    if (kind === 5 && this.#mayEnd) exchange.end(Buffer.alloc(10), { 'x-end': '1' });
    if (kind === 6 && this.#mayEnd) exchange.end(undefined);
    if (kind === 7) this.#endWithHeaders(20_000);
  }

  check(isConnectionClosed: boolean): void {
    if (this.#closedTimes > 1) this.#faults.push('an exchange is closed twice');
    if (isConnectionClosed && this.#closedTimes === 0) this.#faults.push('an exchange is never closed');
  }

  get #mayEnd(): boolean {
    return this.#isBegun && !this.#isHeadersAlone;
  }

  #endWithHeaders(bytes: number): void {
    if (this.#isBegun) return;
    this.#isBegun = true;
    this.#isHeadersAlone = true;
    this.#exchange.endWithHeaders([':status', '200', 'content-type', 'a/b', 'x-long', 'a'.repeat(bytes)]);
  }

  #begin(): void {
    if (this.#isBegun) return;
    this.#isBegun = true;
    this.#exchange.sendHeaders([':status', '200', 'x-bytes', String(this.#bytes)], true);
  }

  #answer(): void {
    this.#begin();
    if (!this.#mayEnd) return;
    this.#exchange.end(Buffer.alloc(this.#bytes), { 'x-end': '1' });
  }
}
