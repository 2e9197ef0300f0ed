/** The types of frames that mean something here (RFC 9113 section 6). Others are ignored (section 5.5). */
export const frameType = {
  data: 0,
  headers: 1,
  priority: 2,
  resetStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

/** The flags of frames; what they mean depends on the type (RFC 9113 section 6). */
export const flag = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

/** Why a stream or a connection ends (RFC 9113 section 7). */
export const errorCode = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  flowControlError: 3,
  settingsTimeout: 4,
  streamClosed: 5,
  frameSizeError: 6,
  refusedStream: 7,
  cancel: 8,
  compressionError: 9,
  connectError: 10,
  enhanceYourCalm: 11,
  inadequateSecurity: 12,
  http11Required: 13,
} as const;

/** A code by which a stream or a connection ends. */
export type ErrorCode = (typeof errorCode)[keyof typeof errorCode];

/** Section 4.1: length, type, flags, stream. */
export const frameHeaderBytes = 9;
/** What a peer must be able to take, and what we take (sections 4.2 and 6.5.2). */
export const minFrameBytes = 16_384;
/** The largest window, and the largest stream id (sections 6.9.1 and 5.1.1). */
export const maxUint31 = 2 ** 31 - 1;

/** A fault of the peer that ends the connection (RFC 9113 section 5.4.1). */
export class ConnectionFault extends Error {
  override readonly name = 'ConnectionFault';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
