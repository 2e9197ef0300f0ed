import type http2 from 'node:http2';

/**
 * Lets a stream be read from its beginning on, and gives what has come to whoever iterates over it.
 *
 * Node's own iterator looks at the stream only when it is asked for the first chunk. Where the whole answer has come in
 * one turn by then, as now and then through TLS, it takes the stream's end for an abortion, and fails with
 * ERR_STREAM_PREMATURE_CLOSE once it has handed out what there was (`eos` in lib/internal/streams/end-of-stream.js of
 * Node 24.21, which takes the HTTP/2 stream's `closed` for that of a readable).
 */
export function readEarly(stream: http2.ClientHttp2Stream): void {
  const chunks = stream[Symbol.asyncIterator]();
  let first: Promise<IteratorResult<unknown>> | undefined = chunks.next();
  // Who reads is told, and who waits for the answer has heard of it by an event.
  first.catch(() => {});
  const early: AsyncIterator<unknown> & AsyncIterable<unknown> = {
    next() {
      const next = first ?? chunks.next();
      first = undefined;
      return next;
    },
    return: () => chunks.return?.() ?? Promise.resolve({ done: true, value: undefined }),
    [Symbol.asyncIterator]: () => early,
  };
  Object.assign(stream, { [Symbol.asyncIterator]: () => early });
}
