import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import type { Address } from './address.ts';
import { dial, tunnelTo } from './dial.ts';
import { noteFate } from './fate.ts';

/**
 * Keeps HTTP/1.1 connections for further calls, as many as there are calls in parallel. Node closes idle ones in time
 * if the server says when it will. Closing ends those that are in use too.
 */
export function openAgent(
  address: Address,
  options: { readonly connectTimeoutMs: number; readonly idleTimeoutMs: number },
): { readonly agent: http.Agent; close(): void } {
  const { connectTimeoutMs, idleTimeoutMs } = options;
  const ended = new AbortController();
  const Agent = address.secure ? https.Agent : http.Agent;
  const agent = new Agent({ keepAlive: true, timeout: idleTimeoutMs });
  const attach = agent.reuseSocket.bind(agent);
  const hold = gathering();
  agent.reuseSocket = (socket, request) => {
    if (socket instanceof net.Socket) hold(socket);
    attach(socket, request);
  };
  const open = (tunnel?: net.Socket) => {
    const socket = dial(address, 'http/1.1', { connectTimeoutMs, tunnel });
    const timer = setTimeout(() => {
      socket.destroy(
        Object.assign(new Error(`not connected after ${connectTimeoutMs} ms`), { code: 'ETIMEDOUT' }),
      );
    }, connectTimeoutMs);
    const failed = (error: Error) => noteFate(error, 'unsent');
    const opened = () => {
      clearTimeout(timer);
      socket.off('error', failed);
    };
    socket.once('error', failed);
    socket.once(address.secure ? 'secureConnect' : 'connect', opened).once('close', opened);
    return socket;
  };
  agent.createConnection = (_, created) => {
    if (!address.proxy) return open();
    tunnelTo(address, connectTimeoutMs, ended.signal).then(
      (tunnel) => created?.(null, open(tunnel)),
      // Node does not look at the socket then.
      (error) => created?.(error, new net.Socket()),
    );
    return undefined;
  };
  return {
    agent,
    close() {
      ended.abort();
      agent.destroy();
    },
  };
}

/**
 * Makes what holds the writes of a socket back until the end of the turn, so that they leave as one. connect-es writes
 * the head of a request, its message, and, once that is written, its end: three writes for a small call, each of which
 * costs both ends a system call. Now they are two.
 */
function gathering(): (socket: net.Socket) => void {
  let held: net.Socket[] = [];
  const release = () => {
    const sockets = held;
    held = [];
    for (const socket of sockets) socket.uncork();
  };
  return (socket) => {
    if (held.length === 0) setImmediate(release);
    held.push(socket);
    socket.cork();
  };
}
