import { constants, type ServerHttp2Session } from 'node:http2';
import type { Connection } from '../../call/connection.ts';

/** NGHTTP2_ERR_PROTO, which node has no name for: https://nghttp2.org/documentation/enums.html */
const protocolError = -505;

/**
 * Lets a session outlive the fault of one of its streams, such as more DATA than its content-length (RFC 9113 section
 * 8.1.1). nghttp2 has reset the stream then, and yet node ends the session, as after a fault of the connection. Both
 * have the same number; but after the latter nghttp2 has sent GOAWAY and hears nothing any more, also no answer to a
 * PING.
 *
 * @param timeoutMs a round trip
 */
export function outliveStreamFaults(
  session: ServerHttp2Session,
  connection: Connection,
  timeoutMs: number,
): void {
  const destroy = session.destroy.bind(session);
  let timer: NodeJS.Timeout | undefined;
  session.destroy = (error, code) => {
    if (!isProtocolError(error) || session.destroyed) return destroy(error, code);
    if (timer !== undefined) return;
    timer = setTimeout(() => {
      destroy(error, constants.NGHTTP2_PROTOCOL_ERROR);
      connection.destroy();
    }, timeoutMs).unref();
    session.ping((failure) => {
      if (failure !== null) return;
      clearTimeout(timer);
      timer = undefined;
    });
  };
  session.once('close', () => clearTimeout(timer));
}

function isProtocolError(error: Error | number | undefined): boolean {
  return error instanceof Error && 'errno' in error && error.errno === protocolError;
}
