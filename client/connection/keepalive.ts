import type { ClientHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import { Code, ConnectError } from '@connectrpc/connect';
import { maxTimerMs } from '../call/deadline.ts';

/** How a connection finds out that the other side is gone though nobody has said so, as grpc-go's does. */
export interface Keepalive {
  /**
   * Silence after which the server is asked by PING; it may be twice as long. 0 or Infinity: never. Default 5 minutes:
   * most gRPC servers close a connection that asks more often.
   */
  readonly timeMs: number;
  /** How long the answer may take; then the connection and its calls end with UNAVAILABLE. Default 20 s. */
  readonly timeoutMs: number;
  /** Ask also while there is no call. Default false. */
  readonly whileIdle: boolean;
}

/**
 * Keeps watch over a session, from its start to its end
 * (https://github.com/grpc/proposal/blob/master/A8-client-side-keepalive.md).
 *
 * Some that speak HTTP/2 never answer a PING, such as the load balancers of AWS. So it asks once when the connection
 * opens, and takes silence for an end on those alone that have answered then.
 *
 * @param isIdle whether there is no call
 * @param onAnswer told of every answer
 */
export function keepAlive(
  session: ClientHttp2Session,
  socket: Socket,
  { timeMs, timeoutMs, whileIdle }: Keepalive,
  isIdle: () => boolean,
  onAnswer: () => void,
): void {
  if (timeMs === 0 || timeMs > maxTimerMs) return;
  let answers = false;
  let bytesRead = 0;
  let due: NodeJS.Timeout | undefined;
  const ping = () => {
    session.ping((error) => {
      clearTimeout(due);
      due = undefined;
      if (error) return;
      answers = true;
      onAnswer();
    });
  };
  const giveUp = () => {
    if (session.destroyed || socket.bytesRead !== bytesRead) return;
    const message = `the server did not answer a PING within ${timeoutMs} ms`;
    session.destroy(new ConnectError(message, Code.Unavailable));
  };
  const watch = setInterval(() => {
    const silent = socket.bytesRead === bytesRead;
    bytesRead = socket.bytesRead;
    if (!silent || !answers || due || (isIdle() && !whileIdle) || session.destroyed) return;
    // A process that was held up, or asleep, reads what has come before it judges.
    due = setTimeout(() => setImmediate(giveUp), timeoutMs).unref();
    ping();
  }, timeMs).unref();
  session.once('close', () => {
    clearInterval(watch);
    clearTimeout(due);
  });
  ping();
}
