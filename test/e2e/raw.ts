import http2, { type IncomingHttpHeaders } from 'node:http2';
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { parseAddress } from '../../client/connection/address.ts';
import { dial } from '../../client/connection/dial.ts';
import { frame, readFrames } from '../support/frames.ts';
import { requestHttp2 } from '../support/raw-request.ts';
import { authorization, type Target } from './target.ts';

/** What came back, frame by frame put together. */
export interface GrpcAnswer<O extends DescMessage> {
  readonly headers: IncomingHttpHeaders;
  readonly messages: MessageShape<O>[];
  /** From the trailers, or the headers if nothing else came. */
  readonly status: number;
  readonly statusMessage: string;
  /** How long after the first message the call ended. */
  readonly afterFirstMs: number;
}

/**
 * A gRPC call by hand: it has no timer, and never cancels, so whatever ends it is the server.
 *
 * @param window how many bytes of answer the server may send before they are read
 */
export async function rawCall<I extends DescMessage, O extends DescMessage>(
  target: Target,
  call: {
    readonly path: string;
    readonly input: I;
    readonly output: O;
    readonly message: MessageInitShape<I>;
    readonly headers?: Readonly<Record<string, string>>;
    readonly window?: number;
    /** Called for every message; the next is not read before it is done. */
    readonly onMessage?: (message: MessageShape<O>) => void | Promise<void>;
  },
): Promise<GrpcAnswer<O>> {
  const address = parseAddress(target.endpoint, target.serverName, { ca: target.ca });
  const session = http2.connect(address.origin, {
    createConnection: () => dial(address, 'h2'),
    settings: { enablePush: false, ...(call.window === undefined ? {} : { initialWindowSize: call.window }) },
  });
  try {
    const exchange = requestHttp2(session, {
      path: call.path,
      headers: {
        'content-type': 'application/grpc',
        te: 'trailers',
        ...authorization(target),
        ...call.headers,
      },
    });
    exchange.request.end(frame(toBinary(call.input, create(call.input, call.message))));
    const messages: MessageShape<O>[] = [];
    let firstMs = Number.NaN;
    for await (const { payload } of readFrames(exchange.chunks())) {
      const message = fromBinary(call.output, payload);
      if (messages.push(message) === 1) firstMs = performance.now();
      await call.onMessage?.(message);
    }
    const { headers, trailers } = exchange;
    const { 'grpc-status': status, 'grpc-message': statusMessage } = { ...headers, ...trailers };
    return {
      headers,
      messages,
      status: Number(status ?? Number.NaN),
      statusMessage: decodeURIComponent(String(statusMessage ?? '')),
      afterFirstMs: performance.now() - firstMs,
    };
  } finally {
    session.destroy();
  }
}
