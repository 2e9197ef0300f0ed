import {
  type DescMethod,
  type DescMethodStreaming,
  type DescMethodUnary,
  fromJson,
  type JsonValue,
  type Message,
} from '@bufbuild/protobuf';
import { Code, ConnectError, type Transport } from '@connectrpc/connect';
import { createConnectTransport, createGrpcWebTransport } from '@connectrpc/connect-web';
import type { Catalog } from '../catalog.ts';
import type { Session } from '../session.ts';
import type { Protocol } from './link.ts';

/** A call to be made. */
export interface AskedCall {
  readonly method: DescMethod;
  readonly request: JsonValue;
  readonly protocol: Protocol;
  readonly metadata: readonly (readonly [name: string, value: string])[];
  readonly deadlineMs: number | undefined;
  readonly signal: AbortSignal;
}

/** Is told what comes, with the ms since the call was sent. */
export interface CallListener {
  header(header: Headers, atMs: number): void;
  message(message: Message, atMs: number): void;
}

/** How a call ended. */
export interface CallEnd {
  /** `undefined` is OK. */
  readonly error: ConnectError | undefined;
  /** Of an error: what came as headers or trailers, which browsers do not always tell apart. */
  readonly trailer: Headers;
  readonly ms: number;
}

/** Makes a call, and tells what comes as it comes. Its end comes as the answer, errors too. */
export async function makeCall(
  asked: AskedCall,
  catalog: Catalog,
  session: Session,
  listener: CallListener,
): Promise<CallEnd> {
  const sentAtMs = performance.now();
  const now = () => performance.now() - sentAtMs;
  let trailer = new Headers();
  try {
    const transport = transportOf(asked.protocol, catalog);
    const request = fromJson(asked.method.input, asked.request, { registry: catalog.registry });
    const headers = session.headers();
    for (const [name, value] of asked.metadata) appendTo(headers, name, value);
    trailer = await run(transport, asked, request, headers, listener, now);
    session.heard(200);
    return { error: undefined, trailer, ms: now() };
  } catch (reason) {
    const error = errorOf(reason, asked.signal);
    const isAnswered = [...error.metadata].length > 0;
    if (error.code === Code.Unauthenticated) session.heard(401);
    else if (isAnswered) session.heard(200);
    else if (error.code === Code.Unavailable) session.heard(undefined);
    return { error, trailer: error.metadata, ms: now() };
  }
}

async function run(
  transport: Transport,
  { method, deadlineMs, signal }: AskedCall,
  request: Message,
  headers: Headers,
  listener: CallListener,
  now: () => number,
): Promise<Headers> {
  if (isUnary(method)) {
    const answer = await transport.unary(method, signal, deadlineMs, headers, request);
    listener.header(answer.header, now());
    listener.message(answer.message, now());
    return answer.trailer;
  }
  if (!isStream(method)) throw new ConnectError('no kind of method', Code.Unimplemented);
  const requests = (async function* () {
    yield request;
  })();
  const answer = await transport.stream(method, signal, deadlineMs, headers, requests);
  listener.header(answer.header, now());
  for await (const message of answer.message) listener.message(message, now());
  return answer.trailer;
}

/** The type of a descriptor says the kinds one by one, so that looking at one of them narrows it. */
function isUnary(method: DescMethod): method is DescMethodUnary {
  return method.methodKind === 'unary';
}

function isStream(method: DescMethod): method is DescMethodStreaming {
  return method.methodKind !== 'unary';
}

function transportOf(protocol: Protocol, { registry }: Catalog): Transport {
  const options = {
    baseUrl: location.origin,
    jsonOptions: { registry },
    useBinaryFormat: protocol === 'grpc-web',
  };
  return protocol === 'grpc-web' ? createGrpcWebTransport(options) : createConnectTransport(options);
}

/** @throws ConnectError if it can't be a header */
function appendTo(headers: Headers, name: string, value: string): void {
  try {
    if (name.toLowerCase() === 'authorization') headers.set(name, value);
    else headers.append(name, value);
  } catch {
    throw new ConnectError(
      `the metadata "${name}" can't be sent: its name or value has characters that headers can't have`,
      Code.InvalidArgument,
    );
  }
}

/** An error in words that are the same in every browser. */
function errorOf(reason: unknown, { aborted }: AbortSignal): ConnectError {
  const error = ConnectError.from(reason);
  if (aborted) return new ConnectError('you cancelled it', Code.Canceled, error.metadata);
  // A fetch that gets no answer, or loses it on the way, throws a TypeError.
  return error.cause instanceof TypeError
    ? new ConnectError('no answer from the server', Code.Unavailable)
    : error;
}
