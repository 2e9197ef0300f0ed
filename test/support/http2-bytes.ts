/**
 * What a client sends first, without settings of its own, and its acknowledgement of the server's (RFC 9113 section
 * 3.4).
 */
export function beginning(settings: Buffer = Buffer.alloc(0)): Buffer {
  const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  return Buffer.concat([preface, http2Frame(4, 0, 0, settings), http2Frame(4, 1, 0, Buffer.alloc(0))]);
}

/**
 * A frame of HTTP/2 (RFC 9113 section 4.1). Types: 0 DATA, 1 HEADERS, 3 RST_STREAM, 4 SETTINGS, 6 PING, 7 GOAWAY, 8
 * WINDOW_UPDATE.
 */
export function http2Frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** The headers of a call of gRPC, and more, as HPACK has them where nothing is compressed (RFC 7541 section 6.2.2). */
export function callHeaders(path: string, more: Readonly<Record<string, string>> = {}): Buffer {
  const headers = {
    ':method': 'POST',
    ':scheme': 'http',
    ':path': path,
    ':authority': 'a',
    'content-type': 'application/grpc',
    te: 'trailers',
    ...more,
  };
  const literal = (text: string) => Buffer.concat([Buffer.of(text.length), Buffer.from(text)]);
  return Buffer.concat(
    Object.entries(headers).flatMap(([name, value]) => [Buffer.of(0), literal(name), literal(value)]),
  );
}

/** A frame as it has come. */
export interface Http2Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** The frames that are whole. */
export function http2FramesOf(bytes: Buffer): Http2Frame[] {
  const frames: Http2Frame[] = [];
  for (let at = 0; at + 9 <= bytes.length; ) {
    const end = at + 9 + bytes.readUIntBE(at, 3);
    if (end > bytes.length) break;
    const payload = bytes.subarray(at + 9, end);
    frames.push({
      type: bytes[at + 3] ?? 0,
      flags: bytes[at + 4] ?? 0,
      stream: bytes.readUInt32BE(at + 5),
      payload,
    });
    at = end;
  }
  return frames;
}
