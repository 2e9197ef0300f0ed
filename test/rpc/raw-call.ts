import { once } from 'node:events';
import type http2 from 'node:http2';
import { gunzipSync } from 'node:zlib';
import { fromBinary, fromJsonString } from '@bufbuild/protobuf';
import { EchoResponseSchema } from './gen/echo_pb.js';

/** What a gRPC client does, byte by byte. */
export interface RawCall {
  readonly path: string;
  readonly method?: string;
  readonly headers: http2.OutgoingHttpHeaders;
  /** In turn: bytes to send, a number of messages to wait for, `end` or `reset`. Then the request ends. */
  readonly body: readonly (Buffer | number | 'end' | 'reset')[];
  /** The request stays open until the response has ended. */
  readonly isOpen?: boolean;
}

/** All that a client sees of a response. What differs with every call, and what both HTTP layers add, is left out. */
export interface RawAnswer {
  readonly httpStatus: number | undefined;
  readonly headers: Record<string, unknown>;
  /** Decoded, with the flags of its frame if they are not 0; as hex if it is no message. */
  readonly messages: unknown[];
  readonly trailers: Record<string, unknown>;
  /** The status is in the headers, and there is nothing else. */
  readonly isTrailersOnly: boolean;
  readonly reset: number;
  /** The response had no end when the time was up. */
  readonly isHung: boolean;
}

/** Long enough for any machine: only what hangs takes it. */
const patienceMs = 2_000;

/** Makes a call and waits for its end. */
export async function rawCall(session: http2.ClientHttp2Session, call: RawCall): Promise<RawAnswer> {
  const { path, method = 'POST', headers, body, isOpen } = call;
  const stream = session.request({ ':method': method, ':path': path, ...headers }, { endStream: false });
  let received = Buffer.alloc(0);
  let head: http2.IncomingHttpHeaders = {};
  let trailers: http2.IncomingHttpHeaders = {};
  let isHung = false;
  /** How many more arrive before a reset is chance. */
  let comparable = Number.POSITIVE_INFINITY;
  let awaited = 0;
  stream.on('response', (it) => {
    head = it;
  });
  stream.on('trailers', (it) => {
    trailers = it;
  });
  stream.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    stream.emit('received');
  });
  // 'close' follows, and the code of the reset says the same.
  stream.on('error', () => {});
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  stream.once('close', resolve);
  const timer = setTimeout(() => {
    isHung = true;
    stream.close(8); // CANCEL
  }, patienceMs);
  send().catch(() => stream.destroy());
  // The answer to a request that stays open is complete with its trailers.
  if (isOpen) stream.once('end', () => stream.end());
  await closed;
  clearTimeout(timer);

  async function send() {
    for (const step of body) {
      if (stream.closed || stream.destroyed) return;
      if (step === 'reset') {
        comparable = awaited;
        stream.close(8);
      } else if (step === 'end') stream.end();
      else if (typeof step !== 'number') stream.write(step);
      else {
        awaited = step;
        while (framesOf(received).length < step && !stream.closed) await once(stream, 'received');
      }
    }
    if (!isOpen && !stream.closed && !stream.writableEnded) stream.end();
  }

  const isTrailersOnly = received.length === 0 && head['grpc-status'] !== undefined;
  const { ':status': httpStatus, ...rest } = head;
  const [plain, ended] = isTrailersOnly ? splitTrailersOnly(rest) : [rest, trailers];
  return {
    httpStatus: Number(httpStatus) || undefined,
    headers: visible(plain),
    messages: framesOf(received)
      .slice(0, comparable)
      .map((frame) => messageOf(frame, String(head['content-type']))),
    trailers: visible(ended),
    isTrailersOnly,
    reset: stream.rstCode ?? 0,
    isHung,
  };
}

/** In a response of headers alone the headers that belong to the response are those that the protocol names. */
function splitTrailersOnly(headers: http2.IncomingHttpHeaders) {
  const isHeader = (name: string) => /^(content-type|x-request-id|date)$/.test(name);
  const entries = Object.entries(headers);
  return [
    Object.fromEntries(entries.filter(([name]) => isHeader(name))),
    Object.fromEntries(entries.filter(([name]) => !isHeader(name))),
  ] as const;
}

function visible(headers: http2.IncomingHttpHeaders): Record<string, unknown> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !/^(date|x-request-id)$/.test(name)));
}

function framesOf(bytes: Buffer): { flags: number; payload: Buffer }[] {
  const frames = [];
  for (let offset = 0; offset + 5 <= bytes.length; ) {
    const end = offset + 5 + bytes.readUInt32BE(offset + 1);
    if (end > bytes.length) break;
    frames.push({ flags: bytes[offset] ?? 0, payload: bytes.subarray(offset + 5, end) });
    offset = end;
  }
  return frames;
}

function messageOf({ flags, payload }: { flags: number; payload: Buffer }, contentType: string): unknown {
  try {
    const bytes = flags === 1 ? gunzipSync(payload) : payload;
    const message = contentType.includes('json')
      ? fromJsonString(EchoResponseSchema, bytes.toString())
      : fromBinary(EchoResponseSchema, bytes);
    return { ...message, pad: message.pad.length, flags };
  } catch {
    return { flags, hex: payload.toString('hex') };
  }
}
