import { create, type Message } from '@bufbuild/protobuf';
import type { ConnectError } from '@connectrpc/connect';
import { encodeFrame } from '../message/frame.ts';
import { MessageEncoder } from '../message/message-encoder.ts';
import { RequestBody } from '../message/request-body.ts';
import { type ResponseSink, ResponseStream } from '../message/response-stream.ts';
import { CallContext } from './context.ts';
import { ExchangeCall } from './exchange-call.ts';
import { type Input, invokeMany, invokeSingle } from './invoke.ts';
import type { Method } from './methods.ts';
import type { CallPolicy } from './policy.ts';
import type { Wire } from './wire.ts';

/**
 * A client's call of a method, from its headers to its status, in whatever protocol. A small unary call makes only what
 * it needs: memory that is used for a moment costs more time here than anything else.
 */
export class MethodCall extends ExchangeCall implements ResponseSink {
  readonly #wire: Wire;
  readonly #method: Method;
  readonly #context: CallContext;
  #body: RequestBody | undefined;
  /** The end of a request without a body comes through a pause: perhaps before the gate has let the call in. */
  #hasAll = false;
  #responses: ResponseStream | undefined;
  /** Whether OK is due once what is queued has been read. */
  #isFinishing = false;

  constructor(wire: Wire, method: Method, policy: CallPolicy) {
    const { protocol, askedMs, exchange } = wire;
    const { path, isUntimed, spec } = method;
    super({ protocol, path, method: spec.method, askedMs, isUntimed }, exchange, policy);
    this.#wire = wire;
    this.#method = method;
    this.#context = new CallContext(this, spec.method, exchange);
  }

  /** Begins to read the request and, when there is enough of it, calls the method. */
  start(): void {
    this.exchange.receive(this);
    // A watch may last, but not before it is let in and, if that is one message, its request is there.
    const { requestTimeoutMs } = this.policy.limits;
    this.begin(this.#wire.refusal, this.isUntimed ? this.startedAtMs + requestTimeoutMs : undefined);
  }

  received(chunk: Buffer): void {
    if (this.isOver) return;
    try {
      this.#body?.push(chunk);
    } catch (error) {
      this.fail(error);
    }
  }

  receivedAll(): void {
    this.#hasAll = true;
    if (this.isOver || this.#body === undefined) return;
    if (this.isUntimed) this.requestIsThere();
    try {
      const message = this.#body.end();
      if (message instanceof Promise) {
        message.then(
          (it) => this.#run(it),
          (error) => this.fail(error),
        );
      } else if (message !== undefined) this.#run(message);
    } catch (error) {
      this.fail(error);
    }
  }

  /** Sends messages of a stream. False: `wake` of the stream follows when there is room for more. */
  send(frames: Buffer): boolean {
    const { response } = this.#wire.compressions;
    this.#wire.begin(this.requestId, this.#context, response);
    return this.sendOrWait(frames);
  }

  /**
   * Sends the last messages of a stream, and OK.
   *
   * @throws MEMORY_EXHAUSTED if they might have to wait, and there is no memory for that
   */
  finish(frames: Uint8Array | undefined, isCompressed = this.#wire.compressions.response): void {
    if (this.isOver) return;
    if (frames !== undefined) {
      if (this.isMuch(frames)) return this.#finishInPortions(frames, isCompressed);
      this.hold(frames.length);
    }
    this.#wire.succeed(this.requestId, frames, this.#context, isCompressed);
    this.succeed();
  }

  override fail(thrown: unknown): void {
    this.#isFinishing = false;
    super.fail(thrown);
  }

  protected override get usedSignal(): AbortSignal | undefined {
    return this.#context.usedSignal;
  }

  protected override enter(): void {
    this.#body = new RequestBody(this, this.#wire, this.#method, this.policy);
    if (this.#method.takesStream) {
      if (this.isUntimed) this.requestIsThere();
      this.#run(this.#body.messages());
    }
    if (this.#hasAll) this.receivedAll();
  }

  protected override say(error: ConnectError): void {
    this.#wire.fail(this.requestId, error, this.#context);
  }

  protected override sayAtOnce(error: ConnectError): boolean {
    return this.#wire.failAtOnce?.(error) ?? false;
  }

  protected override ended(error: ConnectError | undefined): void {
    if (error !== undefined) this.#context.abort(error);
    this.#body?.stop(error);
    this.#responses?.wake();
  }

  protected override roomAgain(): void {
    this.#responses?.wake();
    if (this.#isFinishing) this.finish(undefined);
  }

  #run(input: Input): void {
    if (this.isOver) return;
    if (this.trace !== undefined) this.trace.invokedAtMs = performance.now();
    const { spec } = this.#method;
    const { interceptors } = this.policy;
    try {
      if (spec.kind !== 'unary' && spec.kind !== 'client_streaming') {
        const output = invokeMany(spec, input, this.#context, interceptors);
        this.#responses = new ResponseStream(this, spec.method.output, this.#encoder(), this.policy);
        this.#responses.run(output);
        return;
      }
      const output = invokeSingle(spec, input, this.#context, interceptors);
      if (!(output instanceof Promise)) this.#respond(output);
      else
        output.then(
          (it) => this.#respond(it),
          (error) => this.fail(error),
        );
    } catch (error) {
      this.fail(error);
    }
  }

  #respond(output: Message): void {
    if (this.isOver) return;
    try {
      const { isFramed } = this.#wire;
      const complete = create(this.#method.spec.method.output, output);
      const encoding = this.#encoder().encode(complete, (flags, payload) => {
        if (this.isOver) return;
        this.sentMessages = 1;
        this.sentBytes = payload.length;
        this.finish(isFramed ? encodeFrame(flags, payload) : payload, flags !== 0);
      });
      encoding?.catch((error) => this.fail(error));
    } catch (error) {
      this.fail(error);
    }
  }

  #finishInPortions(frames: Uint8Array, isCompressed: boolean): void {
    this.hold(frames.length);
    this.#wire.begin(this.requestId, this.#context, isCompressed, frames.length);
    if (this.sendHeld(frames)) this.finish(undefined);
    else this.#isFinishing = true;
  }

  #encoder(): MessageEncoder {
    const { isBinary, compressions } = this.#wire;
    return new MessageEncoder(
      this.#method.output(isBinary),
      isBinary,
      compressions.response,
      this.policy.limits,
    );
  }
}
