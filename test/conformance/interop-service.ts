import { setTimeout as delay } from 'node:timers/promises';
import { ConnectError, type ConnectRouter, type HandlerContext } from '@connectrpc/connect';
import type { EchoStatus, StreamingOutputCallRequest } from './gen/grpc/testing/messages_pb.js';
import { TestService } from './gen/grpc/testing/test_pb.js';

/** Tells servers apart in the cases about load balancing. */
const serverId = 'this';

/**
 * The service of gRPC's interop tests, as far as their clients call it. `UnimplementedCall` stays unimplemented.
 * Source: "Server" in https://github.com/grpc/grpc/blob/master/doc/interop-test-descriptions.md
 */
export function interopRoutes(router: ConnectRouter): void {
  router.service(TestService, {
    emptyCall: () => ({}),
    unaryCall(request, context) {
      echoMetadata(context);
      echoStatus(request.responseStatus);
      const body = new Uint8Array(request.responseSize);
      return { payload: { body }, serverId: request.fillServerId ? serverId : '' };
    },
    async *streamingOutputCall(request) {
      yield* responses(request);
    },
    async streamingInputCall(requests) {
      let aggregatedPayloadSize = 0;
      for await (const { payload } of requests) aggregatedPayloadSize += payload?.body.length ?? 0;
      return { aggregatedPayloadSize };
    },
    async *fullDuplexCall(requests, context) {
      echoMetadata(context);
      for await (const request of requests) {
        echoStatus(request.responseStatus);
        yield* responses(request);
      }
    },
    async *halfDuplexCall(requests) {
      const received: StreamingOutputCallRequest[] = [];
      for await (const request of requests) received.push(request);
      for (const request of received) yield* responses(request);
    },
  });
}

async function* responses(request: StreamingOutputCallRequest) {
  for (const { size, intervalUs } of request.responseParameters) {
    if (intervalUs > 0) await delay(intervalUs / 1000);
    yield { payload: { body: new Uint8Array(size) } };
  }
}

function echoMetadata({ requestHeader, responseHeader, responseTrailer }: HandlerContext): void {
  const initial = requestHeader.get('x-grpc-test-echo-initial');
  if (initial !== null) responseHeader.set('x-grpc-test-echo-initial', initial);
  const trailing = requestHeader.get('x-grpc-test-echo-trailing-bin');
  if (trailing !== null) responseTrailer.set('x-grpc-test-echo-trailing-bin', trailing);
}

function echoStatus(status: EchoStatus | undefined): void {
  if (status !== undefined && status.code !== 0) throw new ConnectError(status.message, status.code);
}
