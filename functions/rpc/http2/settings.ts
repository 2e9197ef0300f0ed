import type { RpcLimits } from '../limits.ts';
import { ConnectionFault, errorCode, maxUint31, minFrameBytes } from './frame.ts';

/** The settings that mean something here (RFC 9113 section 6.5.2). Others are ignored. */
export const settingId = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
} as const;

/** What a window has before any setting, and a connection's at first (section 6.9.2). */
export const defaultWindowBytes = 65_535;
/** The table of HPACK that both sides begin with (section 6.5.2). */
export const defaultTableBytes = 4096;

/** What a client is told, ids and values in turn. */
export function ourSettings(limits: RpcLimits): number[] {
  return [
    settingId.maxConcurrentStreams,
    limits.maxConcurrentStreams,
    settingId.initialWindowSize,
    limits.streamWindowBytes,
    settingId.maxHeaderListSize,
    limits.maxHeaderBytes,
  ];
}

/** What a peer has told that it takes. */
export interface PeerSettings {
  headerTableBytes: number;
  initialWindowBytes: number;
  maxFrameBytes: number;
}

/** What holds until a peer tells otherwise. */
export function initialPeerSettings(): PeerSettings {
  return {
    headerTableBytes: defaultTableBytes,
    initialWindowBytes: defaultWindowBytes,
    maxFrameBytes: minFrameBytes,
  };
}

/**
 * Reads the payload of a SETTINGS frame into what is known of the peer.
 *
 * @returns whether its table of HPACK has become smaller, be it only until a later value (RFC 7541 section 4.2)
 * @throws ConnectionFault for a value that may not be
 */
export function readSettings(bytes: Buffer, from: number, to: number, settings: PeerSettings): boolean {
  if ((to - from) % 6 !== 0) throw new ConnectionFault(errorCode.frameSizeError, 'half a setting');
  let shrinks = false;
  for (let at = from; at < to; at += 6) {
    const value = bytes.readUInt32BE(at + 2);
    switch (bytes.readUInt16BE(at)) {
      case settingId.headerTableSize:
        shrinks ||= value < settings.headerTableBytes;
        settings.headerTableBytes = value;
        break;
      case settingId.enablePush:
        if (value > 1) throw new ConnectionFault(errorCode.protocolError, 'ENABLE_PUSH is 0 or 1');
        break;
      case settingId.initialWindowSize:
        if (value > maxUint31) throw new ConnectionFault(errorCode.flowControlError, 'a window is too large');
        settings.initialWindowBytes = value;
        break;
      case settingId.maxFrameSize:
        if (value < minFrameBytes || value > 2 ** 24 - 1) {
          throw new ConnectionFault(errorCode.protocolError, 'MAX_FRAME_SIZE is out of its range');
        }
        settings.maxFrameBytes = value;
        break;
    }
  }
  return shrinks;
}
