import { type ConnectError, decodeBinaryHeader } from '@connectrpc/connect';
import {
  type EnvelopedMessage,
  pipe,
  transformJoinEnvelopes,
  transformSplitEnvelope,
  type UniversalClientFn,
} from '@connectrpc/connect/protocol';
import { trailerFlag, trailerParse, trailerSerialize } from '@connectrpc/connect/protocol-grpc-web';
import { StatusSchema } from '../../proto/gen/google/rpc/status_pb.js';
import { defaults } from '../defaults.ts';

/**
 * Keeps a status readable of which a part is broken. connect-es 2.2.0 fails with DATA_LOSS for
 * `grpc-status-details-bin` that is not a Status, takes one without a code for OK, and fails with "URI malformed" for a
 * `grpc-message` that is not percent-encoded; gRPC says that a message must not be lost so
 * (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses).
 *
 * @param client an HTTP client for the protocol gRPC or gRPC-Web
 */
export function readableStatus(client: UniversalClientFn, protocol: 'grpc' | 'grpc-web'): UniversalClientFn {
  return async (request) => {
    const response = await client(request);
    mend(response.header);
    const body =
      protocol === 'grpc-web'
        ? pipe(
            response.body,
            transformSplitEnvelope(defaults.maxMessageBytes),
            mendTrailerFrames,
            transformJoinEnvelopes(),
            { propagateDownStreamError: true },
          )
        : withEnd(response.body, () => mend(response.trailer));
    return { ...response, body };
  };
}

function mend(headers: Headers): void {
  const details = headers.get('grpc-status-details-bin');
  if (details !== null && !agrees(details, headers.get('grpc-status'))) {
    headers.delete('grpc-status-details-bin');
  }
  const message = headers.get('grpc-message');
  if (message !== null && !isPercentEncoded(message)) {
    headers.set('grpc-message', message.replaceAll('%', '%25'));
  }
}

function agrees(details: string, status: string | null): boolean {
  try {
    const { code } = decodeBinaryHeader(details, StatusSchema);
    return code !== 0 || status === '0' || status === null;
  } catch {
    return false;
  }
}

function isPercentEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** gRPC-Web has its trailers in a frame of the body. */
async function* mendTrailerFrames(frames: AsyncIterable<EnvelopedMessage>): AsyncIterable<EnvelopedMessage> {
  for await (const frame of frames) {
    if (frame.flags !== trailerFlag) {
      yield frame;
      continue;
    }
    const trailer = trailerParse(frame.data);
    mend(trailer);
    yield { flags: frame.flags, data: trailerSerialize(trailer) };
  }
}

/** The same chunks; what is to happen at their end is done before it is told. */
function withEnd(body: AsyncIterable<Uint8Array>, end: () => void): AsyncIterable<Uint8Array> {
  return {
    [Symbol.asyncIterator]() {
      const chunks = body[Symbol.asyncIterator]();
      return {
        async next() {
          const next = await chunks.next();
          if (next.done) end();
          return next;
        },
        // With it connect tells the HTTP client that it gives the answer up.
        throw: (reason: ConnectError) => chunks.throw?.(reason) ?? Promise.reject(reason),
      };
    },
  };
}
