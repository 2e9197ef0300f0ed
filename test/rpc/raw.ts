import { once } from 'node:events';
import http2 from 'node:http2';
import { create, toBinary } from '@bufbuild/protobuf';
import { contentTypeOf, framed as frameFor } from '../support/frames.ts';
import { withPatience } from '../support/patience.ts';
import { requestHttp1, requestHttp2 } from '../support/raw-request.ts';
import { closeBefore, type Serving } from '../support/server.ts';
import type { Wire } from '../support/transports.ts';
import { EchoRequestSchema } from './gen/echo_pb.js';

/** What came back, as text; headers and trailers as lines. */
export interface TextAnswer {
  /** 0 for none. */
  readonly status: number;
  readonly headers: string;
  readonly body: string;
}

/** The content type of a method of Echo in a protocol. */
export function contentType(wire: Wire, method: string): string {
  return contentTypeOf(wire, method === 'Unary');
}

/** A message to a method of Echo as the protocol frames it. */
export function framed(wire: Wire, method: string, payload: Uint8Array = new Uint8Array()): Buffer {
  return frameFor(wire, method === 'Unary', payload);
}

const emptyRequest = toBinary(EchoRequestSchema, create(EchoRequestSchema));

/**
 * Calls a method of Echo by hand: with no timer, an `isEndless` request whose end never comes, or with
 * `isReading: false` an answer of which nobody reads the body.
 */
export async function call(
  serving: Serving,
  wire: Wire,
  {
    method = 'Unary',
    headers = {},
    body = framed(wire, method, emptyRequest),
    isEndless = false,
    isReading = true,
  }: {
    method?: string;
    headers?: Record<string, string>;
    body?: Buffer;
    isEndless?: boolean;
    isReading?: boolean;
  } = {},
): Promise<TextAnswer> {
  const head = {
    path: `/test.echo.v1.Echo/${method}`,
    headers: { 'content-type': contentType(wire, method), ...headers },
  };
  const exchange = await begin(serving, wire, head, isReading);
  isEndless ? exchange.request.write(body) : exchange.request.end(body);
  if (isReading) exchange.read();
  await withPatience(isReading ? exchange.ended : exchange.responded);
  const text = exchange.body.toString('latin1');
  const lines = Object.entries({ ':status': exchange.status, ...exchange.headers, ...exchange.trailers }).map(
    ([name, value]) => `${name}: ${value}\n`,
  );
  // The trailers of gRPC-Web are in the body.
  if (wire.protocol === 'grpc-web') lines.push(text);
  return { status: exchange.status, headers: lines.join(''), body: text };
}

async function begin(
  serving: Serving,
  wire: Wire,
  head: { path: string; headers: Record<string, string> },
  isReading: boolean,
) {
  if (wire.http === '1.1') {
    const exchange = requestHttp1(serving.url, head);
    closeBefore(serving, () => exchange.cancel());
    return exchange;
  }
  const session = http2.connect(serving.url, isReading ? {} : { settings: { initialWindowSize: 1024 } });
  closeBefore(serving, () => session.destroy());
  session.on('error', () => {});
  // From then on the limits of the server hold.
  await withPatience(once(session, 'remoteSettings'));
  return requestHttp2(session, { ...head, headers: { te: 'trailers', ...head.headers } });
}
