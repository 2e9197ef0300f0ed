import { setTimeout as delay } from 'node:timers/promises';
import { create, type DescMessage, type MessageShape } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, type ConnectRouter, type HandlerContext } from '@connectrpc/connect';
import {
  BidiStreamRequestSchema,
  ClientStreamRequestSchema,
  type ConformancePayload_RequestInfo,
  ConformancePayload_RequestInfoSchema,
  ConformancePayloadSchema,
  ConformanceService,
  type Header,
  HeaderSchema,
  IdempotentUnaryRequestSchema,
  type Error as ProtoError,
  ServerStreamRequestSchema,
  type StreamResponseDefinition,
  UnaryRequestSchema,
  type UnaryResponseDefinition,
} from './gen/connectrpc/conformance/v1/service_pb.js';

/** What a server gives to calls that ask for no deadline: far beyond those that the suite asks for. */
export const noDeadlineMs = 3_600_000;

/**
 * The service of the Connect conformance suite: each request says how to answer it, and is echoed.
 * Its protos and the suite's docs/testing_servers.md describe it. `Unimplemented` stays unimplemented.
 */
export function conformanceRoutes(router: ConnectRouter): void {
  router.service(ConformanceService, {
    async unary(request, context) {
      const received = [anyPack(UnaryRequestSchema, request)];
      return { payload: await respond(request.responseDefinition, received, context) };
    },
    async idempotentUnary(request, context) {
      const received = [anyPack(IdempotentUnaryRequestSchema, request)];
      return { payload: await respond(request.responseDefinition, received, context) };
    },
    async clientStream(requests, context) {
      const received: Any[] = [];
      let definition: UnaryResponseDefinition | undefined;
      for await (const request of requests) {
        if (received.length === 0) definition = request.responseDefinition;
        received.push(anyPack(ClientStreamRequestSchema, request));
      }
      return { payload: await respond(definition, received, context) };
    },
    async *serverStream(request, context) {
      const received = [anyPack(ServerStreamRequestSchema, request)];
      const responses = new Responses(request.responseDefinition, context);
      while (responses.left()) yield await responses.next(received);
      responses.end(received);
    },
    async *bidiStream(requests, context) {
      let received: Any[] = [];
      let responses: Responses | undefined;
      let fullDuplex = false;
      for await (const request of requests) {
        received.push(anyPack(BidiStreamRequestSchema, request));
        if (!responses) {
          responses = new Responses(request.responseDefinition, context);
          fullDuplex = request.fullDuplex;
        }
        if (!fullDuplex) continue;
        if (!responses.left()) break;
        yield await responses.next(received);
        received = [];
      }
      while (responses?.left()) {
        yield await responses.next(received);
        received = [];
      }
      responses?.end(received);
    },
  });
}

/** The answer to a call with one response. */
async function respond(
  definition: UnaryResponseDefinition | undefined,
  received: Any[],
  context: HandlerContext,
): Promise<MessageShape<typeof ConformancePayloadSchema>> {
  const requestInfo = infoOf(received, context);
  if (!definition) return create(ConformancePayloadSchema, { requestInfo });
  append(context.responseHeader, definition.responseHeaders);
  append(context.responseTrailer, definition.responseTrailers);
  await pause(definition.responseDelayMs, context);
  if (definition.response.case === 'error') throw errorOf(definition.response.value, requestInfo);
  return create(ConformancePayloadSchema, { requestInfo, data: definition.response.value });
}

/** The answers of a streaming call, in their order. */
class Responses {
  readonly #definition: StreamResponseDefinition | undefined;
  readonly #context: HandlerContext;
  #sent = 0;

  constructor(definition: StreamResponseDefinition | undefined, context: HandlerContext) {
    this.#definition = definition;
    this.#context = context;
    append(context.responseHeader, definition?.responseHeaders ?? []);
    append(context.responseTrailer, definition?.responseTrailers ?? []);
  }

  left(): boolean {
    return this.#sent < (this.#definition?.responseData.length ?? 0);
  }

  /** The first has all about the request, the later ones the messages that came since. */
  async next(received: Any[]) {
    await pause(this.#definition?.responseDelayMs ?? 0, this.#context);
    const data = this.#definition?.responseData[this.#sent];
    const bidi = this.#context.method.methodKind === 'bidi_streaming';
    const rest = bidi && received.length > 0 ? { requests: received } : undefined;
    const requestInfo = this.#sent === 0 ? infoOf(received, this.#context) : rest;
    this.#sent++;
    return { payload: { data, requestInfo } };
  }

  end(received: Any[]): void {
    const error = this.#definition?.error;
    if (error) throw errorOf(error, this.#sent === 0 ? infoOf(received, this.#context) : undefined);
  }
}

/** Waits as the request asks, but not longer than anybody waits for the answer. */
async function pause(ms: number, { signal }: HandlerContext): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => signal.throwIfAborted());
}

function infoOf(requests: Any[], context: HandlerContext): ConformancePayload_RequestInfo {
  const timeout = context.timeoutMs();
  const query = new URL(context.url, 'http://localhost').searchParams;
  return create(ConformancePayload_RequestInfoSchema, {
    requests,
    requestHeaders: headersOf(context.requestHeader),
    timeoutMs: timeout === undefined || timeout > noDeadlineMs / 2 ? undefined : BigInt(Math.trunc(timeout)),
    connectGetInfo: context.requestMethod === 'GET' ? { queryParams: headersOf(query) } : undefined,
  });
}

function errorOf(error: ProtoError, requestInfo: ConformancePayload_RequestInfo | undefined): ConnectError {
  const echoed: { desc: DescMessage; value: ConformancePayload_RequestInfo }[] = requestInfo
    ? [{ desc: ConformancePayload_RequestInfoSchema, value: requestInfo }]
    : [];
  // The suite's enum has the same numbers; the two are one type only as numbers.
  const code: number = error.code;
  const result = new ConnectError(error.message ?? '', code === 0 ? Code.Unknown : code, undefined, echoed);
  result.details.unshift(
    ...error.details.map(({ typeUrl, value }) => ({
      type: typeUrl.slice(typeUrl.lastIndexOf('/') + 1),
      value,
    })),
  );
  return result;
}

/** Headers or query parameters as the suite's messages have them. */
export function headersOf(entries: Iterable<[string, string]>): Header[] {
  return Array.from(entries, ([name, value]) => create(HeaderSchema, { name, value: [value] }));
}

/** Adds the suite's headers to those of a call. */
export function append(to: Headers, headers: readonly Header[]): void {
  for (const { name, value: values } of headers) {
    for (const value of values) to.append(name, value);
  }
}
