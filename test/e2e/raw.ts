import http2, { type IncomingHttpHeaders } from 'node:http2';
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { dial, parseAddress } from '../../client/dial.ts';
import type { Target } from './target.ts';

/** What came back, frame by frame put together. */
export interface RawAnswer<O extends DescMessage> {
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
): Promise<RawAnswer<O>> {
  const address = parseAddress(target.endpoint, target.serverName, { ca: target.ca });
  const session = http2.connect(address.origin, {
    createConnection: () => dial(address, 'h2'),
    settings: { enablePush: false, ...(call.window === undefined ? {} : { initialWindowSize: call.window }) },
  });
  try {
    const failed = new Promise<never>((_, reject) => session.once('error', reject));
    const stream = session.request({
      ':method': 'POST',
      ':path': call.path,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...(target.token === undefined ? {} : { authorization: `Bearer ${target.token}` }),
      ...call.headers,
    });
    let headers: IncomingHttpHeaders = {};
    let trailers: IncomingHttpHeaders = {};
    stream.on('response', (received) => {
      headers = received;
    });
    stream.on('trailers', (received) => {
      trailers = received;
    });
    const body = toBinary(call.input, create(call.input, call.message));
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(body.length, 1);
    stream.end(Buffer.concat([prefix, body]));

    const messages: MessageShape<O>[] = [];
    let firstMs = Number.NaN;
    const read = async () => {
      let rest: Buffer = Buffer.alloc(0);
      for await (const chunk of stream) {
        rest = Buffer.concat([rest, chunk]);
        while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32BE(1)) {
          const end = 5 + rest.readUInt32BE(1);
          const message = fromBinary(call.output, rest.subarray(5, end));
          rest = rest.subarray(end);
          if (messages.push(message) === 1) firstMs = performance.now();
          await call.onMessage?.(message);
        }
      }
    };
    await Promise.race([read(), failed]);
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
