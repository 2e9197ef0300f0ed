import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import { frame } from '../../support/frames.ts';
import { EchoRequestSchema } from '../gen/echo_pb.js';
import type { RawCall } from './raw-call.ts';

/** One call, made to both servers, and how their answers may differ. */
export interface Case {
  readonly name: string;
  readonly call: RawCall;
  /** Differences that are meant, each with its reason. Anything else must be equal, and these must differ. */
  readonly differs?: Difference;
}

/** How the answers differ, and why ours is as it is. */
export interface Difference {
  readonly why: string;
  /** Parts of the answer that are not compared. */
  readonly parts: readonly Part[];
  /** The status that ours ends with. */
  readonly ourStatus: string | undefined;
}

/** What is compared apart from the rest. */
export type Part = 'status' | 'message' | 'headers' | 'messages' | 'http' | 'reset' | 'hung' | 'observed';

/** The limit on messages of both servers. */
export const maxMessageBytes = 65_536;

/** A request of Echo, as far as it is given. */
export type Request = MessageInitShape<typeof EchoRequestSchema>;
/** One of each kind. */
export const methods = ['Unary', 'ServerStream', 'ClientStream', 'Bidi'] as const;
/** A method of Echo. */
export type Method = (typeof methods)[number];
/** Whether its response is a stream. */
export const isStream = (method: Method) => method === 'ServerStream' || method === 'Bidi';

/** A request as it is on the wire. */
export function message(request: Request): Buffer {
  return frame(toBinary(EchoRequestSchema, create(EchoRequestSchema, request)));
}

/** A call of a method, with whatever body. */
export function raw(
  method: string,
  body: RawCall['body'],
  headers: RawCall['headers'] = {},
  rest: Partial<RawCall> = {},
): RawCall {
  return {
    path: `/test.echo.v1.Echo/${method}`,
    headers: { 'content-type': 'application/grpc', te: 'trailers', ...headers },
    body,
    ...rest,
  };
}

/** A call with one message, the usual one. */
export function one(method: Method, request: Request, headers?: RawCall['headers']): RawCall {
  return raw(method, [message({ count: 1, ...request })], headers);
}

/** Why messages of errors differ. */
export const text = 'The text is for people: ours comes from the registry of errors.';
/** The code and everything else is equal, the text is ours. */
export const own = (ourStatus: Code, why = text): Difference => ({
  why,
  parts: ['message'],
  ourStatus: String(ourStatus),
});

/** Whether the method takes a stream of requests, and so is called before they are there. */
export const isCalledAtOnce = (method: Method) => method === 'ClientStream' || method === 'Bidi';

/** Without a compressed message, ours names no encoding. */
export const noEncoding = (ourStatus: Code | 0): Difference => ({
  why: 'grpc-encoding is for messages that are compressed: ours leaves it out where none is.',
  parts: ['headers'],
  ourStatus: String(ourStatus),
});

/** A request that can't be read: what stock says of it quotes it, a password perhaps. */
export const unreadable = (why: string, ...parts: Part[]): Difference => ({
  why,
  parts: ['message', ...parts],
  ourStatus: String(Code.InvalidArgument),
});

/** Protobuf that can't be read. */
export const unreadableProtobuf = (method: Method) => {
  const seen: Part[] = isCalledAtOnce(method) ? ['observed'] : [];
  return unreadable('stock says INTERNAL, as if it were the fault of the server', 'status', ...seen);
};
