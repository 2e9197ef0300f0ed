/** A line of a stream, without its end; or that it is too long, or no UTF-8. */
export type Line = { readonly text: string } | { readonly problem: string };

const newline = 0x0a;

/**
 * Cuts bytes into lines, and holds no more than one line of `maxBytes` at a time. A longer one is skipped to its end.
 * An empty last line is none.
 */
export async function* linesOf(bytes: AsyncIterable<Uint8Array>, maxBytes: number): AsyncIterable<Line> {
  let parts: Uint8Array[] = [];
  let length = 0;
  const add = (part: Uint8Array) => {
    length += part.length;
    if (length > maxBytes) parts = [];
    else parts.push(part);
  };
  const take = (): Line => {
    const line = length > maxBytes ? { problem: `is longer than ${maxBytes} bytes` } : decoded(parts);
    parts = [];
    length = 0;
    return line;
  };
  for await (const chunk of bytes) {
    let from = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, from)) {
      add(chunk.subarray(from, end));
      yield take();
      from = end + 1;
    }
    add(chunk.subarray(from));
  }
  if (length > 0) yield take();
}

/** With `ignoreBOM`, a byte order mark is kept, and no JSON. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decoded(parts: readonly Uint8Array[]): Line {
  try {
    return { text: utf8.decode(Buffer.concat(parts)) };
  } catch {
    return { problem: 'is not UTF-8' };
  }
}
