import http from 'node:http';
import https from 'node:https';
import type { Interceptor, Transport } from '@connectrpc/connect';
import type { UniversalClientFn } from '@connectrpc/connect/protocol';
import { createTransport as createConnectTransport } from '@connectrpc/connect/protocol-connect';
import { createTransport as createGrpcTransport } from '@connectrpc/connect/protocol-grpc';
import { createTransport as createGrpcWebTransport } from '@connectrpc/connect/protocol-grpc-web';
import { compressionBrotli, compressionGzip, createNodeHttpClient } from '@connectrpc/connect-node';
import { exactTimeout } from '../call/deadline.ts';
import { markUnsent } from '../call/failure.ts';
import { Connection, type ConnectionTimeouts } from '../connection/connection.ts';
import { type Address, dial } from '../connection/dial.ts';
import { defaults } from '../defaults.ts';
import { blameTheAnswer } from './broken-off.ts';
import { readableStatus } from './status.ts';
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
  const { client, close } =
    init.httpVersion === '2' ? openHttp2(address, init.timeouts) : openHttp1(address, init);
  const options = {
    baseUrl: address.origin,
    interceptors: [blameTheAnswer, trailersOnly, exactTimeout, ...init.interceptors],
    useBinaryFormat: true,
    acceptCompression: [compressionGzip, compressionBrotli],
    sendCompression: null,
    compressMinBytes: 0,
    readMaxBytes: defaults.maxMessageBytes,
    writeMaxBytes: defaults.maxMessageBytes,
  };
  switch (init.protocol) {
    case 'grpc':
      return {
        transport: createGrpcTransport({ ...options, httpClient: readableStatus(client, 'grpc') }),
        close,
      };
    case 'grpc-web':
      return {
        transport: createGrpcWebTransport({ ...options, httpClient: readableStatus(client, 'grpc-web') }),
        close,
      };
    case 'connect':
      return { transport: createConnectTransport({ ...options, httpClient: client }), close };
  }
}

/** Makes HTTP requests, and releases its connections. */
interface HttpClient {
  readonly client: UniversalClientFn;
  close(): void;
}

function openHttp2(address: Address, timeouts: ConnectionTimeouts): HttpClient {
  const connection = new Connection(address, timeouts);
  return {
    client: createNodeHttpClient({ httpVersion: '2', sessionProvider: () => connection }),
    close: () => connection.close(),
  };
}

function openHttp1(
  address: Address,
  init: { readonly protocol: Protocol; readonly timeouts: ConnectionTimeouts },
): HttpClient {
  if (init.protocol === 'grpc') {
    throw new TypeError('gRPC needs HTTP/2: choose the protocol grpc-web or connect for HTTP/1.1');
  }
  const agent = openAgent(address, init.timeouts);
  return {
    client: createNodeHttpClient({ httpVersion: '1.1', nodeOptions: { agent } }),
    close: () => agent.destroy(),
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
