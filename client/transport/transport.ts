import http from 'node:http';
import https from 'node:https';
import type { Interceptor, Transport } from '@connectrpc/connect';
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from '@connectrpc/connect-node';
import { exactTimeout } from '../call/deadline.ts';
import { markUnsent } from '../call/failure.ts';
import { Connection, type ConnectionTimeouts } from '../connection/connection.ts';
import { type Address, dial } from '../connection/dial.ts';
import { defaults } from '../defaults.ts';
import { blameTheAnswer } from './broken-off.ts';
import { trailersOnly } from './trailers-only.ts';

/** The protocols that the service speaks. */
export const protocols = ['grpc', 'grpc-web', 'connect'] as const;
/** One of the protocols that the service speaks. */
export type Protocol = (typeof protocols)[number];

/** A transport, and how to release its connections. */
export interface OpenTransport {
  readonly transport: Transport;
  /** Ends the connections and the calls on them. */
  close(): void;
}

/** A transport to one address: HTTP/2 over one connection, or HTTP/1.1 over as many as there are parallel calls. */
export function openTransport(
  address: Address,
  init: {
    readonly protocol: Protocol;
    readonly httpVersion: '1.1' | '2';
    readonly timeouts: ConnectionTimeouts;
    readonly interceptors: readonly Interceptor[];
  },
): OpenTransport {
  const shared = {
    baseUrl: address.origin,
    interceptors: [blameTheAnswer, trailersOnly, exactTimeout, ...init.interceptors],
    readMaxBytes: defaults.maxMessageBytes,
    writeMaxBytes: defaults.maxMessageBytes,
  };
  if (init.httpVersion === '1.1') {
    if (init.protocol === 'grpc') {
      throw new TypeError('gRPC needs HTTP/2: choose the protocol grpc-web or connect for HTTP/1.1');
    }
    const agent = openAgent(address, init.timeouts);
    const create = init.protocol === 'connect' ? createConnectTransport : createGrpcWebTransport;
    return {
      transport: create({ ...shared, httpVersion: '1.1', nodeOptions: { agent } }),
      close: () => agent.destroy(),
    };
  }
  const sessionManager = new Connection(address, init.timeouts);
  const create = {
    grpc: createGrpcTransport,
    'grpc-web': createGrpcWebTransport,
    connect: createConnectTransport,
  };
  return {
    transport: create[init.protocol]({ ...shared, httpVersion: '2', sessionManager }),
    close: () => sessionManager.close(),
  };
}

/** Keeps HTTP/1.1 connections for further calls. Node closes idle ones in time if the server says when it will. */
function openAgent(address: Address, timeouts: ConnectionTimeouts): http.Agent {
  const Agent = address.secure ? https.Agent : http.Agent;
  const agent = new Agent({ keepAlive: true, timeout: timeouts.idleTimeoutMs });
  agent.createConnection = () => {
    const socket = dial(address, 'http/1.1');
    const timer = setTimeout(() => {
      socket.destroy(
        Object.assign(new Error(`not connected after ${timeouts.connectTimeoutMs} ms`), {
          code: 'ETIMEDOUT',
        }),
      );
    }, timeouts.connectTimeoutMs);
    const opened = () => {
      clearTimeout(timer);
      socket.off('error', markUnsent);
    };
    socket.once('error', markUnsent);
    socket.once(address.secure ? 'secureConnect' : 'connect', opened).once('close', opened);
    return socket;
  };
  return agent;
}
