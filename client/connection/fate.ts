/**
 * What a connection knows of a call that failed without an answer:
 * - `unsent`: nothing of it can have reached the server.
 * - `not HTTP/2`: what answers speaks something else, so nothing of it was read as a call.
 * - `refused`: the server says that it has not begun it (REFUSED_STREAM, RFC 9113 section 8.7).
 * - `shed`: the server asks for calm, and may have begun it. node:http2 says so too to a call beyond its streams.
 */
export type Fate = 'unsent' | 'not HTTP/2' | 'refused' | 'shed';

const fates = new WeakMap<Error, Fate>();

/** Notes the fate of the calls that fail with this error, or with one that it caused. What is noted first counts. */
export function noteFate(reason: unknown, fate: Fate): void {
  if (reason instanceof Error && fateOf(reason) === undefined) fates.set(reason, fate);
}

/** What is known of a call that failed with this. */
export function fateOf(reason: unknown): Fate | undefined {
  for (let error = reason; error instanceof Error; error = error.cause) {
    const fate = fates.get(error);
    if (fate !== undefined) return fate;
  }
  return undefined;
}
