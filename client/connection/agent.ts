import http from 'node:http';
import https from 'node:https';
import type { Address } from './address.ts';
import { dial } from './dial.ts';
import { noteFate } from './fate.ts';

/**
 * Keeps HTTP/1.1 connections for further calls, as many as there are calls in parallel. Node closes idle ones in time
 * if the server says when it will.
 */
export function openAgent(
  address: Address,
  options: { readonly connectTimeoutMs: number; readonly idleTimeoutMs: number },
): http.Agent {
  const { connectTimeoutMs, idleTimeoutMs } = options;
  const Agent = address.secure ? https.Agent : http.Agent;
  const agent = new Agent({ keepAlive: true, timeout: idleTimeoutMs });
  agent.createConnection = () => {
    const socket = dial(address, 'http/1.1', connectTimeoutMs);
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
  return agent;
}
