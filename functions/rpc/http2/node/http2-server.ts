import http2, { type ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import type { Connection } from '../../call/connection.ts';
import type { RpcLimits } from '../../limits.ts';
import { Sessions } from './sessions.ts';
import { StreamExchange } from './stream-exchange.ts';

/** Speaks HTTP/2, by node:http2, on the connections that it is given. */
export class Http2Server {
  readonly #server: http2.Http2Server;
  readonly #sessions: Sessions;
  readonly #connections = new WeakMap<ServerHttp2Session, Connection>();

  constructor(onExchange: (exchange: StreamExchange) => void, limits: RpcLimits) {
    this.#sessions = new Sessions(limits);
    this.#server = http2.createServer({
      maxSessionMemory: limits.maxSessionMemoryMiB,
      streamResetBurst: limits.streamResetBurst,
      streamResetRate: limits.streamResetsPerSecond,
      maxHeaderListPairs: limits.maxHeaderPairs,
      settings: {
        maxConcurrentStreams: limits.maxConcurrentStreams,
        maxHeaderListSize: limits.maxHeaderBytes,
      },
    });
    this.#server.on('stream', (stream, headers, _flags, rawHeaders) => {
      const session = stream.session as ServerHttp2Session | undefined; // of a server, unless it is gone already
      this.#sessions.use(session);
      const connection = session && this.#connections.get(session);
      // Node keeps to our settings only once the client has acknowledged them, which may be after its first call.
      const isTooLong = session?.pendingSettingsAck && headerBytes(rawHeaders) > limits.maxHeaderBytes;
      if (connection === undefined || isTooLong) {
        stream.on('error', () => {});
        return stream.close(http2.constants.NGHTTP2_ENHANCE_YOUR_CALM);
      }
      onExchange(new StreamExchange(stream, headers, connection, limits));
    });
  }

  /** Takes over a connection. */
  take(socket: Socket, connection: Connection): void {
    // Node makes the session before `emit` returns.
    this.#server.once('session', (session) => {
      this.#connections.set(session, connection);
      this.#sessions.add(session, connection);
    });
    this.#server.emit('connection', socket);
  }

  /** To be called once the port listens: from now on, sessions that are idle end. */
  begin(): void {
    this.#sessions.sweepIdle();
  }

  /** Ends all sessions by GOAWAY, also those still to come, once their calls are done. */
  close(): void {
    this.#sessions.close();
  }
}

/** The size of a block of headers, names and values in turn (RFC 9113 section 10.5.1). */
function headerBytes(headers: readonly string[]): number {
  return headers.reduce((sum, text) => sum + text.length + 16, 0);
}
