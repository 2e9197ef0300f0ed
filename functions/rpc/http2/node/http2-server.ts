import http2, { type ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import type { Connection } from '../../call/connection.ts';
import { headerBytesOf } from '../../http/exchange.ts';
import type { EngineParts, Http2Engine } from '../engine.ts';
import { Sessions } from './sessions.ts';
import { StreamExchange } from './stream-exchange.ts';

/** Node keeps such figures in 32 bits. */
const maxBurst = 2 ** 31 - 1;

/** Speaks HTTP/2 by node:http2, on the connections that it gets. */
export class NodeHttp2Server implements Http2Engine {
  readonly #parts: EngineParts;
  readonly #server: http2.Http2Server;
  readonly #sessions: Sessions;
  readonly #connections = new WeakMap<ServerHttp2Session, Connection>();

  constructor(onExchange: (exchange: StreamExchange) => void, parts: EngineParts) {
    const { limits, counts, resets } = parts;
    const shares = resets === undefined ? 1 : limits.resetSharesPerConnection;
    const resetBurst = Math.min(maxBurst, shares * limits.streamResetBurst);
    this.#parts = parts;
    this.#sessions = new Sessions(limits, counts);
    this.#server = http2.createServer({
      maxSessionMemory: limits.maxSessionMemoryMiB,
      streamResetBurst: resetBurst,
      streamResetRate: Math.min(maxBurst, shares * limits.streamResetsPerSecond),
      maxHeaderListPairs: limits.maxHeaderPairs,
      settings: {
        maxConcurrentStreams: limits.maxConcurrentStreams,
        maxHeaderListSize: limits.maxHeaderBytes,
        initialWindowSize: limits.streamWindowBytes,
      },
      // Node also rejects a call that comes in one segment with the reset of another at the limit of streams, which is
      // no fault of its client: 100 of them, its default, would end the connection.
      maxSessionRejectedStreams: resetBurst,
    });
    this.#server.on('stream', (stream, headers, _flags, rawHeaders) => {
      const session = stream.session as ServerHttp2Session | undefined; // of a server, unless it is gone already
      this.#sessions.use(session);
      const connection = session && this.#connections.get(session);
      const bytes = headerBytesOf(rawHeaders);
      // Node keeps to our settings only once the client has acknowledged them, which may be after its first call.
      const isTooLong = session?.pendingSettingsAck && bytes > limits.maxHeaderBytes;
      if (connection === undefined || isTooLong) {
        stream.on('error', () => {});
        // Where the session is gone, nothing is sent.
        if (session !== undefined) counts.resetsSent += 1;
        return stream.close(http2.constants.NGHTTP2_ENHANCE_YOUR_CALM);
      }
      onExchange(new StreamExchange(stream, headers, bytes, connection, parts));
    });
  }

  /** Takes over a connection. */
  take(socket: Socket, connection: Connection): void {
    // Node makes the session before `emit` returns.
    this.#server.once('session', (session) => {
      this.#connections.set(session, connection);
      this.#sessions.add(session, connection);
      session.setLocalWindowSize(this.#parts.limits.connectionWindowBytes);
    });
    this.#server.emit('connection', socket);
  }

  /** Call it once the port listens: from now on, idle sessions end. */
  begin(): void {
    this.#sessions.sweepIdle();
  }

  /** Ends all sessions by GOAWAY once their calls are done, also those that are still to come. */
  close(): void {
    this.#sessions.close();
  }
}
