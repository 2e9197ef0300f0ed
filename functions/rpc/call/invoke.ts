import { create, type Message } from '@bufbuild/protobuf';
import type { HandlerContext, Interceptor, MethodImplSpec } from '@connectrpc/connect';
import { rpcError } from '../errors.ts';
import type { CallContext } from './context.ts';

type AnyFn = ReturnType<Interceptor>;
type AnyRequest = Parameters<AnyFn>[0];
type AnyResponse = Awaited<ReturnType<AnyFn>>;
/** A value, or a promise of it. */
type MaybePromise<T> = T | Promise<T>;

/** The kinds of methods whose response is one message. */
export type SingleSpec = Extract<MethodImplSpec, { kind: 'unary' | 'client_streaming' }>;
/** The kinds of methods whose response is a stream. */
export type ManySpec = Exclude<MethodImplSpec, SingleSpec>;
/** What a method takes: a message or, for client_streaming and bidi_streaming, a stream of them. */
export type Input = Message | AsyncIterable<Message>;

/**
 * Calls a method that returns one message, through the interceptors if there are any. They see connect's own request
 * and response, whose parts are made when touched: an interceptor pays only for what it uses.
 */
export function invokeSingle(
  spec: SingleSpec,
  input: Input,
  context: CallContext,
  interceptors: readonly Interceptor[],
): MaybePromise<Message> {
  if (interceptors.length === 0) return callSingle(spec, input, context);
  const response = intercept(spec, input, context, interceptors, async (request, handlerContext) => {
    const output = create(
      spec.method.output,
      await callSingle(spec, request.message as Input, handlerContext),
    );
    return spec.kind === 'unary' ? output : only(output);
  });
  return response.then((it) => (it.stream ? single(it.message, 'MISSING_RESPONSE') : it.message));
}

/** As `invokeSingle`, for methods that return a stream. */
export function invokeMany(
  spec: ManySpec,
  input: Input,
  context: CallContext,
  interceptors: readonly Interceptor[],
): MaybePromise<AsyncIterable<Message>> {
  if (interceptors.length === 0) return callMany(spec, input, context);
  const wrapped = spec.kind === 'server_streaming' ? only(input as Message) : input;
  const response = intercept(spec, wrapped, context, interceptors, async (request, handlerContext) => {
    const message = request.message as AsyncIterable<Message>;
    const plain = spec.kind === 'server_streaming' ? await single(message, 'MISSING_MESSAGE') : message;
    return complete(spec, callMany(spec, plain, handlerContext));
  });
  return response.then((it) => (it.stream ? it.message : only(it.message)));
}

// The kind of a method decides whether its input is a message or a stream; the type system can't follow
// that through a table of methods, hence the casts in this file.

function callSingle(spec: SingleSpec, input: Input, context: HandlerContext): MaybePromise<Message> {
  return spec.kind === 'unary'
    ? (spec.impl(input as Message, context) as MaybePromise<Message>)
    : (spec.impl(input as AsyncIterable<Message>, context) as MaybePromise<Message>);
}

function callMany(spec: ManySpec, input: Input, context: HandlerContext): AsyncIterable<Message> {
  return spec.kind === 'server_streaming'
    ? (spec.impl(input as Message, context) as AsyncIterable<Message>)
    : (spec.impl(input as AsyncIterable<Message>, context) as AsyncIterable<Message>);
}

/** Runs the chain of interceptors around `call` and takes over the headers and trailers they return. */
async function intercept(
  spec: MethodImplSpec,
  message: Input,
  context: CallContext,
  interceptors: readonly Interceptor[],
  call: (request: AnyRequest, context: HandlerContext) => Promise<Input>,
): Promise<AnyResponse> {
  const stream = spec.kind !== 'unary';
  const { method } = spec;
  const request = Object.assign(lazyRequest(context), { stream, message, method }) as AnyRequest;
  const innermost: AnyFn = async (it) => {
    const output = await call(it, it === request ? context : derive(context, it));
    return Object.assign(lazyResponse(context), { stream, message: output, method }) as AnyResponse;
  };
  const response = await interceptors.reduceRight<AnyFn>(
    (next, interceptor) => interceptor(next),
    innermost,
  )(request);
  if (response.header !== context.responseHeader) replaceHeaders(context.responseHeader, response.header);
  if (response.trailer === context.responseTrailer) return response;
  if (response.stream) return { ...response, message: withTrailer(response, context) };
  replaceHeaders(context.responseTrailer, response.trailer);
  return response;
}

function lazyRequest(context: CallContext) {
  return {
    service: context.service,
    requestMethod: context.requestMethod,
    get url() {
      return context.url;
    },
    get signal() {
      return context.signal;
    },
    get header() {
      return context.requestHeader;
    },
    get contextValues() {
      return context.values;
    },
  };
}

function lazyResponse(context: CallContext) {
  return {
    service: context.service,
    get header() {
      return context.responseHeader;
    },
    get trailer() {
      return context.responseTrailer;
    },
  };
}

/** The context for an interceptor that has handed on another request. */
function derive(context: CallContext, request: AnyRequest): HandlerContext {
  return {
    method: context.method,
    protocolName: context.protocolName,
    timeoutMs: context.timeoutMs,
    responseHeader: context.responseHeader,
    responseTrailer: context.responseTrailer,
    service: request.service,
    requestMethod: request.requestMethod,
    url: request.url,
    signal: request.signal,
    requestHeader: request.header,
    values: request.contextValues,
  };
}

async function* complete(spec: ManySpec, output: AsyncIterable<Message>): AsyncGenerator<Message> {
  for await (const message of output) yield create(spec.method.output, message);
}

async function* withTrailer(response: AnyResponse & { stream: true }, context: CallContext) {
  yield* response.message;
  replaceHeaders(context.responseTrailer, response.trailer);
}

/** One message as a stream. */
export async function* only(message: Message): AsyncGenerator<Message> {
  yield message;
}

/** The first message of a stream. @throws `reason` if it is empty */
export async function single(
  messages: AsyncIterable<Message>,
  reason: 'MISSING_MESSAGE' | 'MISSING_RESPONSE',
) {
  for await (const message of messages) return message;
  throw rpcError(reason);
}

function replaceHeaders(target: Headers, source: Headers): void {
  for (const name of [...target.keys()]) target.delete(name);
  for (const [name, value] of source) target.append(name, value);
}
