import type { IncomingHttpHeaders } from 'node:http2';
import type { DescMethod } from '@bufbuild/protobuf';
import { type ConnectError, type ContextValues, createContextValues } from '@connectrpc/connect';
import { type Caller, callerKey } from '../auth/caller.ts';
import {
  canceled,
  deadlineExceeded,
  memoryExhausted,
  rpcError,
  toConnectError,
  tooManyCalls,
  tooManyResets,
  tooManyWatches,
  watchEnded,
} from '../errors.ts';
import type { CallTrace } from '../telemetry/trace.ts';
import { traceKey } from '../telemetry/trace.ts';
import type { CallRecord } from './call-record.ts';
import { clientKey } from './client-name.ts';
import { ClientShare } from './client-share.ts';
import type { Connection } from './connection.ts';
import { clampDeadlineMs } from './deadline.ts';
import { CallGateRequest } from './gate-request.ts';
import type { CallPolicy } from './policy.ts';
import { type Payer, payerKey } from './quota.ts';
import { requestId, requestIdHeader } from './request-id.ts';
import { ok } from './status.ts';

/** What is known of a call before it begins. */
export interface CallStart {
  /** `grpc`, `grpc-web`, `connect`, `http` or `local`. */
  readonly protocol: string;
  /** What is called: a path such as `/Users/CreateUser`, without a query. */
  readonly path: string;
  /** The method that is called; `undefined` for plain HTTP. */
  readonly method: DescMethod | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly connection: Connection;
  /** The time that the client asks for, in ms; NaN if it is malformed. */
  readonly askedMs: number | undefined;
  /** Whether it lasts as long as its client wants, if that sets no deadline. */
  readonly isUntimed: boolean;
  /** Whether nobody is told of it while all is well, as of health checks, which would fill the log. Default: false. */
  readonly isQuiet?: boolean;
}

/** Paths are cut to this length before anybody is told of them. No method has a name that long. */
const maxPathCharacters = 256;

/**
 * One call, whatever its protocol. It has one id and one deadline, passes one gate, ends once, and is logged once. A
 * protocol adds only how it sends a status and how it drops the connection.
 */
export abstract class Call implements CallRecord, Payer {
  readonly protocol: string;
  readonly method: string;
  readonly forwardedFor: string | undefined;
  readonly requestId: string;
  readonly startedAtMs = performance.now();
  endedAtMs = Number.NaN;
  /** The time it was given, in ms; infinite if it lasts as long as its client wants. */
  readonly timeoutMs: number;
  readonly headers: IncomingHttpHeaders;
  readonly connection: Connection;
  /** Whether it lasts as long as its client wants: a drain doesn't wait for it. */
  readonly isUntimed: boolean;
  /** The status, once it is decided: `ok` or a code. */
  code: number | undefined;
  error: ConnectError | undefined;
  /** Who calls, if the gate knows. */
  caller: Caller | undefined;
  readonly hasDeadline: boolean;
  readonly isQuiet: boolean;
  readonly trace: CallTrace | undefined;
  receivedMessages = 0;
  receivedBytes = 0;
  sentMessages = 0;
  sentBytes = 0;
  protected readonly policy: CallPolicy;
  readonly #descriptor: DescMethod | undefined;
  readonly #share: ClientShare;
  readonly #isMalformed: boolean;
  /** Whether it may last as long as its client wants, such as a health watch. */
  readonly #isWatch: boolean;
  #slot: Set<{ expire(): void }> | undefined;
  /** The gate takes its time: the request waits. */
  #isAtGate = false;
  /** What has come of the body meanwhile. */
  #keptBytes = 0;
  /** The call is over, and waits only for its client to read what is left. */
  #isFlushing = false;
  #isClosed = false;
  #values: ContextValues | undefined;

  constructor(start: CallStart, policy: CallPolicy) {
    const { headers, connection, askedMs } = start;
    this.protocol = start.protocol;
    this.method = start.path.slice(0, maxPathCharacters);
    this.headers = headers;
    this.connection = connection;
    this.policy = policy;
    this.requestId = requestId(headers[policy.requestIdHeader] ?? headers[requestIdHeader]);
    this.#isWatch = start.isUntimed;
    this.isUntimed = start.isUntimed && askedMs === undefined;
    this.#isMalformed = Number.isNaN(askedMs);
    const timeoutMs = clampDeadlineMs(this.#isMalformed ? undefined : askedMs, policy.limits);
    this.timeoutMs = this.isUntimed ? Number.POSITIVE_INFINITY : timeoutMs;
    this.#descriptor = start.method;
    this.hasDeadline = askedMs !== undefined && !this.#isMalformed;
    this.isQuiet = start.isQuiet ?? false;
    this.trace = this.isQuiet ? undefined : policy.tracing?.begin(headers, this.#isLocal);
    this.forwardedFor = policy.forwardedFor(headers);
    const isOpen = policy.openPaths.has(this.method);
    this.#share = new ClientShare(this.forwardedFor, connection, !this.#isLocal, policy, isOpen);
    if (!this.isQuiet) for (const observer of policy.observers) observer.begun?.(this);
  }

  get peer(): string {
    return this.connection.peer;
  }

  /** Whether its status is decided. */
  get isOver(): boolean {
    return this.code !== undefined;
  }

  /** When its time is up, on the clock of `performance.now()`. */
  get deadlineAtMs(): number {
    return this.startedAtMs + (this.isUntimed ? this.policy.limits.maxWatchMs : this.timeoutMs);
  }

  /** What the gate and interceptors leave for handlers, and what `clientOf`, `callerOf` and `spend` need. */
  get values(): ContextValues {
    if (this.#values === undefined) {
      this.#values = createContextValues().set(clientKey, this.#share.address).set(callerKey, this.caller);
      if (this.policy.quota !== undefined && !this.#isLocal) this.#values.set(payerKey, this);
      if (this.trace !== undefined) this.#values.set(traceKey, this.trace);
    }
    return this.#values;
  }

  spend(tokens: number): void {
    this.policy.quota?.spend(this.#share.name, tokens);
  }

  /** Ends the call from the server's side. */
  abort(reason: ConnectError): void {
    this.fail(reason);
  }

  /**
   * Called at the deadline: fails the call. Called again later if the client has not read what is left by then: cuts it
   * off, so that a client which does not read can't keep a call for ever.
   */
  expire(): void {
    if (this.#isFlushing) return this.cut();
    this.#isFlushing = true;
    // A watch whose request has not come has not begun: only its request is late.
    const hasWatched = this.isUntimed && performance.now() >= this.deadlineAtMs;
    this.fail(hasWatched ? watchEnded() : deadlineExceeded());
    if (!this.#isClosed) this.#expireAt(performance.now() + this.policy.limits.flushTimeoutMs);
  }

  /**
   * Begins the call: lets it in (see `enter`), or refuses it. `refusal`: what is wrong with its headers.
   * `requestDueAtMs`: by when its request must have come, if that is before the deadline.
   */
  protected begin(refusal?: ConnectError, requestDueAtMs = this.deadlineAtMs): void {
    this.#expireAt(Math.min(this.deadlineAtMs, requestDueAtMs));
    let refused: unknown = this.#isMalformed ? rpcError('BAD_TIMEOUT') : refusal;
    // Timers have a grain of 1 ms, and C core rounds up to it: that time has passed before a method could do anything.
    if (refused === undefined && this.timeoutMs <= 1) refused = deadlineExceeded();
    // Before the gate: to look for a credential would cost more than the refusal.
    if (refused === undefined && this.#hasTooManyResets) refused = tooManyResets();
    let admission: Promise<void> | undefined;
    if (refused === undefined) {
      try {
        admission = this.policy.gate?.(this.#gateRequest());
      } catch (thrown) {
        refused = thrown;
      }
    }
    // Open calls and their headers take memory before a byte of a body has come. Counted after the gate: callers that
    // are known have theirs, whatever strangers hold.
    if (!this.#share.hold(this.ownBytes)) {
      // Nobody waits for it any more, and what it rejects with would end the process.
      admission?.catch(() => {});
      // One client that has used up its share is no reason to refuse others.
      const { memory, limits } = this.policy;
      const isAllHeld = memory.heldBytes + this.ownBytes > limits.maxHeldBytes;
      if (isAllHeld) this.policy.admission?.refusedForMemory(performance.now());
      return this.#refuseMemory();
    }
    if (refused !== undefined) return this.fail(refused);
    if (admission === undefined) return this.#admit();
    this.#isAtGate = true;
    this.pause();
    admission.then(
      () => {
        if (this.isOver) return;
        this.#admit();
        this.#leaveGate(); // what waits comes at once
      },
      (thrown) => this.fail(thrown),
    );
  }

  /** What a stranger is told must take no memory, for there is none: where that can't be, the call is cut. */
  #refuseMemory(): void {
    const error = memoryExhausted();
    if (!this.#share.isStranger) return this.fail(error);
    if (!this.isOver) this.#settle(error);
    if (!this.sayAtOnce(error)) this.cut();
  }

  /** The request has come: from now on, a call that lasts as long as its client wants has all its time. */
  protected requestIsThere(): void {
    if (!this.isOver) this.#expireAt(this.deadlineAtMs);
  }

  /**
   * Counts memory that the call is about to hold, until it gives it back or is gone.
   *
   * @throws MEMORY_EXHAUSTED; CANCELED once it is gone: what it holds then nobody would give back
   */
  hold(bytes: number): void {
    if (this.#isClosed) throw canceled();
    if (!this.#share.hold(bytes)) throw memoryExhausted();
  }

  /**
   * Counts memory of work that goes on even when the call is gone.
   *
   * @returns what gives it back, to be called when the work has ended
   * @throws MEMORY_EXHAUSTED; CANCELED once it is gone: such work is not begun
   */
  holdApart(bytes: number): () => void {
    if (this.#isClosed) throw canceled();
    const giveBack = this.#share.holdApart(bytes);
    if (giveBack === undefined) throw memoryExhausted();
    return giveBack;
  }

  /** Gives back memory, unless all was given back when the call went. */
  release(bytes: number): void {
    this.#share.release(bytes);
  }

  /** Ends with OK, once the last of the response is handed over. */
  protected succeed(): void {
    this.#settle(undefined);
  }

  /** Ends with an error: says so to the client, unless the call has ended already. */
  protected fail(thrown: unknown): void {
    if (this.isOver) return;
    const error = toConnectError(thrown, this.usedSignal);
    const said = this.#trySay(error) ?? error;
    // Where it could not be told, the call may have gone over that.
    if (!this.isOver) this.#settle(said);
  }

  /** Ends with an error that can't be told any more, and drops what carries the call. */
  protected drop(error: ConnectError): void {
    if (!this.isOver) this.#settle(error);
    this.cut();
  }

  /** The stream or connection that carries the call is gone: it gives back all that it holds. */
  protected gone(): void {
    if (this.#isClosed) return;
    this.#share.giveBack();
    this.#isClosed = true;
    this.#slot?.delete(this);
    if (!this.isOver) this.#settle(canceled());
  }

  /** The call is let in: its work begins. Called at once unless the gate takes its time. */
  protected abstract enter(): void;
  /** What the call holds by being open, its headers included. */
  protected abstract get ownBytes(): number;
  /** The call's signal, if anybody has asked for it. */
  protected abstract get usedSignal(): AbortSignal | undefined;
  /** Tells the client how the call has failed. */
  protected abstract say(error: ConnectError): void;
  /** The same with no memory kept for it. False: it can't be said so. */
  protected sayAtOnce(_error: ConnectError): boolean {
    return false;
  }
  /** The call is over: aborts its signal, and stops what works for it. */
  protected abstract ended(error: ConnectError | undefined): void;
  /** Drops what carries the call. */
  protected abstract cut(): void;
  /** Stops and resumes the client's sending. */
  protected abstract pause(): void;
  protected abstract resume(): void;

  /** Says an error. One with a detail that is not of its type can't be sent: then INTERNAL is said, and returned. */
  #trySay(error: ConnectError): ConnectError | undefined {
    try {
      this.say(error);
      return undefined;
    } catch (cause) {
      const internal = rpcError('INTERNAL', undefined, cause);
      try {
        this.say(internal);
      } catch {
        this.cut(); // it is the metadata: nothing can be said at all
      }
      return internal;
    }
  }

  /** The body comes though the gate still takes its time: how much, its client decides. */
  kept(bytes: number): void {
    if (!this.#isAtGate || this.isOver) return;
    if (!this.#share.hold(bytes)) return this.#refuseMemory();
    this.#keptBytes += bytes;
  }

  #leaveGate(): void {
    if (!this.#isAtGate) return;
    this.#isAtGate = false;
    this.release(this.#keptBytes);
    this.resume();
  }

  #admit(): void {
    const refusal = this.#excess();
    if (refusal !== undefined) return this.fail(refusal);
    if (this.trace !== undefined) {
      this.trace.enteredAtMs = performance.now();
      this.policy.tracing?.admitted(this.trace, this.#share.name, this.#share.isStranger);
    }
    this.enter();
  }

  /** What is too much, though the gate lets the call in: calls and watches that are open, calls in a time, or load. */
  #excess(): ConnectError | undefined {
    const { quota, admission } = this.policy;
    const share = this.#share;
    if (share.hasTooManyCalls && !this.#isFree) return tooManyCalls();
    if (this.isUntimed && !share.watch()) return tooManyWatches();
    if ((quota === undefined && admission === undefined) || this.#isFree) return undefined;
    const unpaid = quota?.begin(share.name);
    if (unpaid !== undefined || admission === undefined || this.#isWatch) return unpaid;
    return admission.refusal(this.#isAtGate ? performance.now() : this.startedAtMs, this.timeoutMs);
  }

  /** Whether its client has reset so many streams that it is refused, though they were of other calls. */
  get #hasTooManyResets(): boolean {
    const isSpent = this.policy.resets?.isSpent(this.#share.address) ?? false;
    return isSpent && !this.#isFree;
  }

  /** Health checks cost nothing; nor do calls from within the process, since the call that they belong to has paid. */
  get #isFree(): boolean {
    return this.#isLocal || this.policy.openPaths.has(this.method);
  }

  get #isLocal(): boolean {
    return this.protocol === 'local';
  }

  #gateRequest(): CallGateRequest {
    return new CallGateRequest(this, this.#descriptor, this.#share.address, (it) => this.#identify(it));
  }

  #identify(caller: Caller): void {
    this.caller = caller;
    // Made already by a gate that has set something, or by a caller within the process.
    this.#values?.set(callerKey, caller);
    if (!this.#share.moveTo(caller.id)) throw memoryExhausted();
  }

  #expireAt(atMs: number): void {
    this.#slot?.delete(this);
    this.#slot = this.policy.wheel.add(this, atMs);
  }

  #settle(error: ConnectError | undefined): void {
    this.code = error?.code ?? ok;
    this.error = error;
    // What is queued must be read long before a deadline of minutes.
    const { stallTimeoutMs } = this.policy.limits;
    const nowMs = performance.now();
    this.endedAtMs = nowMs;
    if (!this.#isClosed && !this.#isFlushing && this.deadlineAtMs > nowMs + 2 * stallTimeoutMs) {
      this.#isFlushing = true;
      this.#expireAt(nowMs + stallTimeoutMs);
    }
    // What still comes must be read, to be dropped: a stream that is paused never closes.
    this.#leaveGate();
    this.ended(error);
    if (this.isQuiet && error === undefined) return;
    if (this.trace !== undefined && this.trace.enteredAtMs === undefined && !this.#isLocal) {
      this.policy.tracing?.refused(this.trace, this.#share.isStranger);
    }
    for (const observer of this.policy.observers) observer.ended(this, this.code);
  }
}
