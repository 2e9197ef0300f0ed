import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import { toBinary } from '@bufbuild/protobuf';
import { EchoRequestSchema } from '../rpc/gen/echo_pb.js';
import { closeBefore, type Serving, withPatience } from './server.ts';
import type { Wire } from './transports.ts';

/** What came back, as text; headers and trailers as lines. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: string;
  readonly body: string;
}

/** The content type of a method in a protocol. */
export function contentType({ protocol }: Wire, method: string): string {
  if (protocol === 'connect') return method === 'Unary' ? 'application/proto' : 'application/connect+proto';
  return `application/${protocol}+proto`;
}

/** A message as the protocol frames it. */
export function framed(wire: Wire, method: string, payload: Uint8Array = new Uint8Array()): Buffer {
  if (wire.protocol === 'connect' && method === 'Unary') return Buffer.from(payload);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(payload.length, 1);
  return Buffer.concat([prefix, payload]);
}

/**
 * Calls a method with node's own client, which does only what it is told: no timer, an `isEndless` request whose
 * end never comes, or with `isReading: false` an answer of which nobody reads the body.
 */
export async function call(
  serving: Serving,
  wire: Wire,
  {
    method = 'Unary',
    headers = {},
    body = framed(
      wire,
      method,
      toBinary(EchoRequestSchema, { $typeName: 'test.echo.v1.EchoRequest', ...empty }),
    ),
    isEndless = false,
    isReading = true,
  }: {
    method?: string;
    headers?: Record<string, string>;
    body?: Buffer;
    isEndless?: boolean;
    isReading?: boolean;
  } = {},
): Promise<RawAnswer> {
  const { promise, resolve } = Promise.withResolvers<RawAnswer>();
  const answer = { status: 0, headers: '', body: '' };
  const end = () => resolve(answer);
  const all = { 'content-type': contentType(wire, method), ...headers };
  const path = `/test.echo.v1.Echo/${method}`;
  const note = (fields: object) => {
    for (const [name, value] of Object.entries(fields)) answer.headers += `${name}: ${value}\n`;
  };
  const read = (response: http.IncomingMessage | http2.ClientHttp2Stream) => {
    // In bytes: the trailers of gRPC-Web are in the body.
    if (isReading)
      response.on('data', (chunk: Buffer) => {
        answer.body += chunk.toString('latin1');
        if (wire.protocol === 'grpc-web') answer.headers += chunk.toString('latin1');
      });
    else {
      response.pause();
      end();
    }
  };
  if (wire.http === '2') {
    const session = http2.connect(serving.url, isReading ? {} : { settings: { initialWindowSize: 1024 } });
    closeBefore(serving, () => session.destroy());
    session.on('error', end);
    // From then on the limits of the server hold.
    await withPatience(once(session, 'remoteSettings'));
    const stream = session.request({ ':method': 'POST', ':path': path, te: 'trailers', ...all });
    stream.on('response', (fields) => {
      answer.status = fields[':status'] ?? 0;
      note(fields);
    });
    stream.on('trailers', note).on('error', end).on('close', end);
    stream.on('end', end);
    if (isReading) read(stream);
    else stream.on('response', () => read(stream));
    isEndless ? stream.write(body) : stream.end(body);
  } else {
    const request = http.request(`${serving.url}${path}`, { method: 'POST', headers: all, agent: false });
    closeBefore(serving, () => request.destroy());
    request.on('response', (response) => {
      answer.status = response.statusCode ?? 0;
      note(response.headers);
      response.on('end', end).on('error', end);
      read(response);
    });
    request.on('error', end).on('close', end);
    isEndless ? request.write(body) : request.end(body);
  }
  return (await withPatience(promise)) ?? answer;
}

const empty = {
  text: '',
  count: 0,
  headers: [],
  trailers: [],
  show: [],
  pad: 0,
  hang: false,
};
