import type http from 'node:http';
import { gunzipSync } from 'node:zlib';
import { fromBinary, fromJsonString } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import { type Frame, framesOf } from '../../support/frames.ts';
import { EchoResponseSchema } from '../gen/echo_pb.js';
import type { Part } from './case.ts';
import type { RawAnswer } from './raw-call.ts';

/** An answer in the parts that are compared, each as plain data. */
export type Parts = Record<Exclude<Part, 'observed'>, unknown>;

/** What a protocol makes of an answer. */
interface Reading extends Pick<Parts, 'status' | 'message' | 'messages'> {
  readonly headers?: http.IncomingHttpHeaders;
  readonly trailers?: unknown;
}

/** Takes an answer apart, as the protocol does that its content type names. */
export function partsOf(answer: RawAnswer): Parts {
  const reading = readerOf(String(answer.headers['content-type']))(answer);
  const { headers = answer.headers, trailers, ...rest } = reading;
  return {
    ...rest,
    headers: { headers: visible(headers, answer.body.length), trailers },
    http: answer.http,
    reset: answer.reset,
    hung: answer.isHung,
  };
}

function readerOf(contentType: string): (answer: RawAnswer) => Reading {
  if (/^application\/grpc(\+|$)/.test(contentType)) return readGrpc;
  if (/^application\/grpc-web\+/.test(contentType)) return readWeb;
  if (/^application\/connect\+/.test(contentType)) return readStream;
  if (/^application\/(proto|json)$/.test(contentType)) return readUnary;
  return ({ body }) => ({ status: undefined, message: undefined, messages: body.toString() });
}

/** The status is in the trailers or, where there is nothing else, in the headers. */
function readGrpc(answer: RawAnswer): Reading {
  const isTrailersOnly = answer.body.length === 0 && answer.headers['grpc-status'] !== undefined;
  const [headers, ended] = isTrailersOnly
    ? splitTrailersOnly(answer.headers)
    : [answer.headers, answer.trailers];
  const { 'grpc-status': status, 'grpc-message': message, ...trailers } = ended;
  return {
    status,
    message: message && decodeURIComponent(String(message)),
    messages: framesOf(answer.body).slice(0, answer.comparable).map(messageOf(headers)),
    headers,
    trailers: visible(trailers),
  };
}

/** In a response of headers alone the headers that belong to the response are those that the protocol names. */
function splitTrailersOnly(headers: http.IncomingHttpHeaders) {
  const isHeader = (name: string) => /^(content-type|x-request-id|date)$/.test(name);
  const entries = Object.entries(headers);
  return [
    Object.fromEntries(entries.filter(([name]) => isHeader(name))),
    Object.fromEntries(entries.filter(([name]) => !isHeader(name))),
  ] as const;
}

/** The last frame has the trailers, as lines. */
function readWeb({ headers, body, comparable }: RawAnswer): Reading {
  const [messages, end] = splitEnd(framesOf(body), 0x80);
  const trailers: Record<string, string[]> = {};
  for (const line of inflated(end).toString('latin1').split('\r\n')) {
    const [, name = '', value = ''] = /^([^:]+): (.*)$/.exec(line) ?? [];
    if (line !== '') trailers[name] = [...(trailers[name] ?? []), value];
  }
  const { 'grpc-status': status, 'grpc-message': message, ...rest } = trailers;
  return {
    status: status?.join(),
    message: message && decodeURIComponent(message.join()),
    messages: messages.slice(0, comparable).map(messageOf(headers)),
    trailers: { ...rest, flags: end?.flags },
  };
}

/** The last frame has error and metadata, in JSON. */
function readStream({ headers, body, comparable }: RawAnswer): Reading {
  const [frames, end] = splitEnd(framesOf(body), 2);
  const messages: unknown[] = frames.slice(0, comparable).map(messageOf(headers));
  if (end === undefined) return { status: undefined, message: undefined, messages };
  const { error, metadata, ...rest } = JSON.parse(inflated(end).toString());
  const { status, message, details } = error === undefined ? okReading : readError(error);
  return {
    status,
    message,
    messages: [...messages, details],
    trailers: { metadata, rest, flags: end.flags },
  };
}

/** The body is the message or, by the HTTP status, the error. */
function readUnary({ http: status, headers, body }: RawAnswer): Reading {
  const payload = headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
  if (status === 200)
    return { status: '0', message: undefined, messages: [messageOf(headers)({ flags: 0, payload })] };
  const { details, ...reading } = readError(JSON.parse(payload.toString()));
  return { ...reading, messages: details };
}

const okReading = { status: '0', message: undefined, details: [] };

function readError({ code, message, ...rest }: Record<string, unknown>) {
  const index = codeNames.indexOf(String(code));
  const details = Object.keys(rest).length === 0 ? [] : [rest];
  return { status: index < 0 ? code : String(index), message, details };
}

/** As Connect writes them, each at its number. */
const codeNames = Object.values(Code)
  .filter((it) => typeof it === 'string')
  .reduce<string[]>((names, name) => {
    names[Code[name as keyof typeof Code]] = name.replace(/(?<=[a-z])(?=[A-Z])/g, '_').toLowerCase();
    return names;
  }, []);

/** The frames before the one with a flag, which is the last, and that. */
function splitEnd(frames: Frame[], flag: number): [messages: Frame[], end: Frame | undefined] {
  const last = frames.at(-1);
  return last !== undefined && (last.flags & flag) !== 0 ? [frames.slice(0, -1), last] : [frames, undefined];
}

function inflated(frame: Frame | undefined): Buffer {
  if (frame === undefined) return Buffer.alloc(0);
  return (frame.flags & 1) === 1 ? gunzipSync(frame.payload) : frame.payload;
}

/** Decodes messages, with the flags of their frames; what is no message, as hex. */
function messageOf(headers: http.IncomingHttpHeaders): (frame: Frame) => unknown {
  const isJson = String(headers['content-type']).includes('json');
  return (frame) => {
    try {
      const bytes = inflated(frame);
      const message = isJson
        ? fromJsonString(EchoResponseSchema, bytes.toString())
        : fromBinary(EchoResponseSchema, bytes);
      return { ...message, pad: message.pad.length, flags: frame.flags };
    } catch {
      return { flags: frame.flags, hex: frame.payload.toString('hex') };
    }
  };
}

/** What differs with every call, and what both HTTP layers add, is left out; of a length, whether it is true. */
function visible(headers: http.IncomingHttpHeaders, bodyBytes?: number): Record<string, unknown> {
  const entries = Object.entries(headers).filter(([name]) => !/^(date|x-request-id|keep-alive)$/.test(name));
  const { 'content-length': length, ...rest } = Object.fromEntries(entries);
  return length === undefined ? rest : { ...rest, isLengthTrue: Number(length) === bodyBytes };
}
