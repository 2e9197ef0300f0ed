import { Code } from '@connectrpc/connect';
import { type Dialect, isCalledAtOnce, type Method } from './dialect.ts';
import type { RawCall } from './raw-call.ts';

/** One call, made to both servers, and how their answers may differ. */
export interface Case {
  readonly name: string;
  readonly call: RawCall;
  /** Differences that are meant, each with its reason. Anything else must be equal, and these must differ. */
  readonly differs?: Difference | undefined;
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

/** Why messages of errors differ. */
export const text = 'The text is for people: ours comes from the registry of errors.';
/** The code and everything else is equal, the text is ours. */
export const own = (ourStatus: Code, why = text): Difference => ({
  why,
  parts: ['message'],
  ourStatus: String(ourStatus),
});

/** Without a compressed message, ours names no encoding. */
export const noEncoding = (ourStatus: Code | 0): Difference => ({
  why: 'grpc-encoding is for messages that are compressed: ours leaves it out where none is.',
  parts: ['headers'],
  ourStatus: String(ourStatus),
});

/** A message that can't be read. Both answer alike whether it is malformed as a whole or in one field. */
export function unreadable({ isBinary }: Dialect, method: Method): Difference {
  const ourStatus = String(Code.InvalidArgument);
  if (!isBinary)
    return { why: 'Stock quotes the request: a password perhaps.', parts: ['message'], ourStatus };
  const why = 'Stock says INTERNAL, as if it were the fault of the server.';
  const parts: Part[] = ['status', 'message'];
  // Connect says codes by the HTTP status too.
  return { why, parts: isCalledAtOnce(method) ? [...parts, 'observed'] : parts, ourStatus };
}
