import {
  create,
  type DescMessage,
  type DescMethod,
  type Message,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf';
import type { Transport } from '@connectrpc/connect';
import { rpcError } from '../errors.ts';
import { Client } from './clients.ts';
import type { Connection } from './connection.ts';
import { only } from './invoke.ts';
import { LocalCall, type LocalCallOptions } from './local-call.ts';
import { type Method, pathOf } from './methods.ts';
import type { CallPolicy } from './policy.ts';

/** Counts the running calls from within the process: a drain waits for them, as it does for connections. */
export class LocalCalls {
  #count = 0;
  #idle: PromiseWithResolvers<void> | undefined;

  begin(): void {
    this.#count += 1;
  }

  end(): void {
    this.#count -= 1;
    if (this.#count > 0) return;
    this.#idle?.resolve();
    this.#idle = undefined;
  }

  /** Resolves when none is running. */
  async whenIdle(): Promise<void> {
    if (this.#count === 0) return;
    this.#idle ??= Promise.withResolvers<void>();
    await this.#idle.promise;
  }
}

/**
 * A transport for callers within the process: their calls pass the server's gate and interceptors, keep its deadlines,
 * end at its drain and stand in its log, as if they came from outside.
 *
 * Its clients get the method's own messages, and must not change them.
 */
export function createLocalTransport(
  methods: ReadonlyMap<string, Method>,
  policy: CallPolicy,
  calls: LocalCalls,
): Transport {
  const connection: Connection = {
    peer: 'local',
    client: new Client('local'),
    tls: undefined,
    openedAtMs: performance.now(),
    heldBytes: 0,
    destroy() {},
  };
  async function begin(method: DescMethod, options: LocalCallOptions): Promise<LocalCall> {
    const path = pathOf(method);
    const known = methods.get(path);
    if (known === undefined) throw rpcError('UNKNOWN_METHOD', path);
    const call = new LocalCall(known, options, connection, policy, () => calls.end());
    calls.begin();
    await call.admit();
    return call;
  }
  return {
    async unary(method, signal, timeoutMs, header, input, contextValues) {
      const call = await begin(method, { signal, timeoutMs, headers: new Headers(header), contextValues });
      const message = shapeOf(method.output, await call.single(create(method.input, input)));
      return { stream: false, service: method.parent, method, message, ...sentBy(call) };
    },
    async stream(method, signal, timeoutMs, header, input, contextValues) {
      const call = await begin(method, { signal, timeoutMs, headers: new Headers(header), contextValues });
      const requests = eachCreated(method.input, input);
      const isSingle = method.methodKind === 'client_streaming';
      const output = isSingle ? only(await call.single(requests)) : await call.many(requests);
      const message = eachOf(method.output, output);
      return { stream: true, service: method.parent, method, message, ...sentBy(call) };
    },
  };
}

function sentBy({ context }: LocalCall) {
  return {
    get header() {
      return context.responseHeader;
    },
    get trailer() {
      return context.responseTrailer;
    },
  };
}

async function* eachCreated<T extends DescMessage>(type: T, messages: AsyncIterable<MessageInitShape<T>>) {
  for await (const message of messages) yield create(type, message);
}

async function* eachOf<T extends DescMessage>(type: T, messages: AsyncIterable<Message>) {
  for await (const message of messages) yield shapeOf(type, message);
}

/** `create` completes a message of a method, or returns it as it is; the method's descriptor says which type it has. */
function shapeOf<T extends DescMessage>(type: T, message: Message): MessageShape<T> {
  return create(type, message as MessageInitShape<T>);
}
