import { Code } from '@connectrpc/connect';
import { type Dialect, isCalledAtOnce, type Method } from './dialect.ts';
import type { RawCall } from './raw-call.ts';

/** One call, made to both servers, and how their answers may differ. */
export interface Case {
  readonly name: string;
  readonly call: RawCall;
  /** Differences that are meant, each with its reason. Anything else must be equal, and these must differ. */
  readonly differs?: Difference | undefined;
  /** Parts that are chance, and so are not compared. */
  readonly chance?: readonly Part[];
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
export const noEncoding = (ourStatus: Code | 0, ...parts: Part[]): Difference => ({
  why: 'The header is for messages that are compressed: ours leaves it out where none is.',
  parts: ['headers', ...parts],
  ourStatus: String(ourStatus),
});

/** A message that can't be read. Both answer alike whether it is malformed as a whole or in one field. */
export function unreadable(dialect: Dialect, method: Method): Difference {
  const ourStatus = String(Code.InvalidArgument);
  if (!dialect.isBinary)
    return { why: 'Stock quotes the request: a password perhaps.', parts: ['message'], ourStatus };
  const parts: Part[] = ['status', 'message'];
  if (!dialect.isFramed(method)) parts.push('http');
  if (isCalledAtOnce(method)) parts.push('observed');
  return { why: 'Stock says INTERNAL, as if it were the fault of the server.', parts, ourStatus };
}

/** One of the two answers, the other refuses. */
export function unlike(dialect: Dialect, method: Method, ourStatus: Code | 0, why: string): Difference {
  const parts: Part[] = ['status', 'message', 'messages', 'observed'];
  // Then the answer of Connect is another kind of response: errors are JSON.
  if (!dialect.isFramed(method)) parts.push('http', ...(dialect.isBinary ? (['headers'] as const) : []));
  return { why, parts, ourStatus: String(ourStatus) };
}
