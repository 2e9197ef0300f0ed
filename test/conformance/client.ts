// The client under test of the Connect conformance suite: its runner writes calls to stdin, which are made over
// the typed client's transport, and reads from stdout how they went. What the typed client adds above it is left
// out: retries and the default deadline, which the suite would see, and its own errors, which turn an answer that
// breaks off into UNAVAILABLE where the suite wants INTERNAL or UNKNOWN.
import { setTimeout as delay } from 'node:timers/promises';
import { create, type DescMessage, type MessageShape } from '@bufbuild/protobuf';
import { type Any, AnySchema, anyUnpack } from '@bufbuild/protobuf/wkt';
import { type CallOptions, type Client, ConnectError, createClient } from '@connectrpc/connect';
import { createWritableIterable } from '@connectrpc/connect/protocol';
import { parseAddress } from '../../client/connection/address.ts';
import { defaults } from '../../client/defaults.ts';
import { openTransport } from '../../client/transport/transport.ts';
import {
  type ClientCompatRequest,
  ClientCompatRequestSchema,
  ClientCompatResponseSchema,
  type ClientResponseResult,
  ClientResponseResultSchema,
} from './gen/connectrpc/conformance/v1/client_compat_pb.js';
import { HTTPVersion, Protocol, StreamType } from './gen/connectrpc/conformance/v1/config_pb.js';
import {
  BidiStreamRequestSchema,
  ClientStreamRequestSchema,
  type ConformancePayload,
  ConformancePayloadSchema,
  ConformanceService,
  ErrorSchema,
  IdempotentUnaryRequestSchema,
  type Error as ProtoError,
  ServerStreamRequestSchema,
  UnaryRequestSchema,
  UnimplementedRequestSchema,
} from './gen/connectrpc/conformance/v1/service_pb.js';
import { append, headersOf } from './service.ts';
import { readMessages, sizeDelimited } from './size-delimited.ts';

const running = new Set<Promise<void>>();
for await (const request of readMessages(ClientCompatRequestSchema, process.stdin)) {
  const work = run(request).then((response) => {
    process.stdout.write(
      sizeDelimited(
        ClientCompatResponseSchema,
        create(ClientCompatResponseSchema, {
          testName: request.testName,
          result: { case: 'response', value: response },
        }),
      ),
    );
    running.delete(work);
  });
  running.add(work);
  // A few in parallel: most of the time they wait for delays that the suite asks for.
  if (running.size >= 8) await Promise.race(running);
}
await Promise.all(running);

async function run(request: ClientCompatRequest): Promise<ClientResponseResult> {
  const { serverTlsCert, clientTlsCreds: creds, host, port } = request;
  const isSecure = serverTlsCert.length > 0;
  const address = parseAddress(`${isSecure ? 'https' : 'http'}://${host}:${port}`, undefined, {
    ca: isSecure ? Buffer.from(serverTlsCert) : undefined,
    cert: creds && Buffer.from(creds.cert),
    key: creds && Buffer.from(creds.key),
  });
  const { transport, close } = openTransport(address, {
    protocol: protocolOf(request.protocol),
    httpVersion: request.httpVersion === HTTPVersion.HTTP_VERSION_1 ? '1.1' : '2',
    connection: {
      connectTimeoutMs: defaults.connectTimeoutMs,
      idleTimeoutMs: defaults.idleTimeoutMs,
      keepalive: { timeMs: 0, timeoutMs: 0, whileIdle: false },
    },
    interceptors: [],
  });
  const client = createClient(ConformanceService, transport);
  const result = create(ClientResponseResultSchema);
  const controller = new AbortController();
  const headers = new Headers();
  append(headers, request.requestHeaders);
  const options: CallOptions = {
    headers,
    signal: controller.signal,
    timeoutMs: request.timeoutMs,
    onHeader: (it) => {
      result.responseHeaders = headersOf(it);
    },
    onTrailer: (it) => {
      result.responseTrailers = headersOf(it);
    },
  };
  try {
    await call(client, request, options, result, () => controller.abort());
  } catch (thrown) {
    const error = ConnectError.from(thrown);
    result.error = errorOf(error);
    // An error has headers and trailers in one: the suite allows to name them twice.
    if (result.responseHeaders.length === 0) result.responseHeaders = headersOf(error.metadata);
    if (result.responseTrailers.length === 0) result.responseTrailers = headersOf(error.metadata);
  } finally {
    close();
  }
  return result;
}

async function call(
  client: Client<typeof ConformanceService>,
  request: ClientCompatRequest,
  options: CallOptions,
  result: ClientResponseResult,
  cancel: () => void,
): Promise<void> {
  const { cancelTiming } = request.cancel ?? {};
  const received = (payload: ConformancePayload | undefined) => {
    result.payloads.push(payload ?? create(ConformancePayloadSchema));
    if (cancelTiming?.case === 'afterNumResponses' && result.payloads.length === cancelTiming.value) cancel();
  };
  const closed = () => {
    if (request.cancel === undefined || cancelTiming?.case === 'afterNumResponses') return;
    if (cancelTiming?.case === 'beforeCloseSend') cancel();
    else setTimeout(cancel, cancelTiming?.case === 'afterCloseSendMs' ? cancelTiming.value : 0);
  };
  const only = <T extends DescMessage>(schema: T) => unpack(request.requestMessages[0], schema);
  switch (request.method) {
    case 'Unary': {
      closed();
      return received((await client.unary(only(UnaryRequestSchema), options)).payload);
    }
    case 'IdempotentUnary': {
      closed();
      return received((await client.idempotentUnary(only(IdempotentUnaryRequestSchema), options)).payload);
    }
    case 'Unimplemented': {
      await client.unimplemented(only(UnimplementedRequestSchema), options);
      return received(undefined);
    }
    case 'ServerStream': {
      closed();
      const responses = client.serverStream(only(ServerStreamRequestSchema), options);
      for await (const { payload } of responses) received(payload);
      return;
    }
    case 'ClientStream': {
      async function* requests() {
        for (const message of request.requestMessages) {
          await delay(request.requestDelayMs);
          yield unpack(message, ClientStreamRequestSchema);
        }
        closed();
      }
      return received((await client.clientStream(requests(), options)).payload);
    }
    case 'BidiStream': {
      const isFullDuplex = request.streamType === StreamType.FULL_DUPLEX_BIDI_STREAM;
      const requests = createWritableIterable<MessageShape<typeof BidiStreamRequestSchema>>();
      const responses = client.bidiStream(requests, options)[Symbol.asyncIterator]();
      const first = responses.next();
      // It is awaited only after the requests have been sent, and may fail before.
      first.catch(() => {});
      let next: typeof first | undefined = first;
      for (const message of request.requestMessages) {
        await delay(request.requestDelayMs);
        await requests.write(unpack(message, BidiStreamRequestSchema));
        if (!isFullDuplex) continue;
        const response = await (next ?? responses.next());
        next = undefined;
        if (response.done) break;
        received(response.value.payload);
      }
      if (cancelTiming?.case !== 'beforeCloseSend') requests.close();
      closed();
      for (let it = await (next ?? responses.next()); !it.done; it = await responses.next()) {
        received(it.value.payload);
      }
      return;
    }
    default:
      throw new Error(`the suite has a method that is new: ${request.method}`);
  }
}

function unpack<T extends DescMessage>(any: Any | undefined, schema: T): MessageShape<T> {
  const message = any && anyUnpack(any, schema);
  if (!message) throw new Error(`the suite gives no ${schema.typeName}`);
  return message;
}

function errorOf(error: ConnectError): ProtoError {
  const details = error.details.map((detail) => {
    if ('desc' in detail) throw new Error('a detail that did not come over the wire');
    return create(AnySchema, { typeUrl: `type.googleapis.com/${detail.type}`, value: detail.value });
  });
  // The suite's enum has the same numbers; the two are one type only as numbers.
  const code: number = error.code;
  return create(ErrorSchema, { code, message: error.rawMessage, details });
}

function protocolOf(protocol: Protocol): 'grpc' | 'grpc-web' | 'connect' {
  if (protocol === Protocol.GRPC) return 'grpc';
  return protocol === Protocol.GRPC_WEB ? 'grpc-web' : 'connect';
}
