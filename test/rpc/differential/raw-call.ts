import type http2 from 'node:http2';
import { gunzipSync } from 'node:zlib';
import { fromBinary, fromJsonString } from '@bufbuild/protobuf';
import { type Frame, framesOf } from '../../support/frames.ts';
import { withPatience } from '../../support/patience.ts';
import { requestHttp2 } from '../../support/raw-request.ts';
import { EchoResponseSchema } from '../gen/echo_pb.js';

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
export interface GrpcAnswer {
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
export async function rawCall(session: http2.ClientHttp2Session, call: RawCall): Promise<GrpcAnswer> {
  const { body, isOpen } = call;
  const exchange = requestHttp2(session, call);
  const { request } = exchange;
  /** How many messages arrive before a reset is chance. */
  let comparable = Number.POSITIVE_INFINITY;
  exchange.read();
  send().catch(() => request.destroy());
  // The answer to a request that stays open is complete with its trailers.
  if (isOpen) exchange.ended.then(() => request.end());
  const isHung = !(await withPatience(
    exchange.closed.then(() => true),
    patienceMs,
  ));
  if (isHung) exchange.cancel();
  await exchange.closed;

  async function send() {
    let awaited = 0;
    for (const step of body) {
      if (request.closed || request.destroyed) return;
      if (step === 'reset') {
        comparable = awaited;
        exchange.cancel();
      } else if (step === 'end') request.end();
      else if (typeof step !== 'number') request.write(step);
      else {
        awaited = step;
        await exchange.until((received) => framesOf(received).length >= step);
      }
    }
    if (!isOpen && !request.closed && !request.writableEnded) request.end();
  }

  const { body: received, headers: head, trailers } = exchange;
  const isTrailersOnly = received.length === 0 && head['grpc-status'] !== undefined;
  const [plain, ended] = isTrailersOnly ? splitTrailersOnly(head) : [head, trailers];
  return {
    httpStatus: exchange.status || undefined,
    headers: visible(plain),
    messages: framesOf(received)
      .slice(0, comparable)
      .map((frame) => messageOf(frame, String(head['content-type']))),
    trailers: visible(ended),
    isTrailersOnly,
    reset: exchange.resetCode,
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

function messageOf({ flags, payload }: Frame, contentType: string): unknown {
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
