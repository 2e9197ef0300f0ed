import { Code, ConnectError, type Interceptor, type Transport } from '@connectrpc/connect';
import type { UniversalClientFn, UniversalClientRequest } from '@connectrpc/connect/protocol';
import { createTransport as createConnectTransport } from '@connectrpc/connect/protocol-connect';
import { createTransport as createGrpcTransport } from '@connectrpc/connect/protocol-grpc';
import { createTransport as createGrpcWebTransport } from '@connectrpc/connect/protocol-grpc-web';
import { compressionGzip, createNodeHttpClient } from '@connectrpc/connect-node';
import { exactTimeout } from '../call/deadline.ts';
import type { Address } from '../connection/address.ts';
import { openAgent } from '../connection/agent.ts';
import { Connection } from '../connection/connection.ts';
import { fateOf } from '../connection/fate.ts';
import type { SessionOptions } from '../connection/session.ts';
import { defaults } from '../defaults.ts';
import { judgeFailure } from './failed-answer.ts';
import type { IamOptions } from './signing.ts';
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
    readonly connection: SessionOptions;
    readonly interceptors: readonly Interceptor[];
    /** Default: calls are not signed. */
    readonly iam?: IamOptions | undefined;
  },
): OpenTransport {
  const { protocol, httpVersion } = init;
  if (protocol === 'grpc' && httpVersion === '1.1') {
    throw new TypeError('gRPC needs HTTP/2: choose the protocol grpc-web or connect for HTTP/1.1');
  }
  const opened = (httpVersion === '2' ? openHttp2 : openHttp1)(address, init.connection, protocol);
  const { close } = opened;
  const client = init.iam === undefined ? opened.client : signing(opened.client, address, init.iam);
  const options = {
    baseUrl: address.origin,
    interceptors: [judgeFailure, trailersOnly, exactTimeout, ...init.interceptors],
    useBinaryFormat: true,
    // gzip alone: Node's Brotli decoder has had a write out of bounds (CVE-2026-111497), and no server of ours speaks
    // it.
    acceptCompression: [compressionGzip],
    sendCompression: null,
    compressMinBytes: 0,
    readMaxBytes: defaults.maxMessageBytes,
    writeMaxBytes: defaults.maxMessageBytes,
  };
  switch (protocol) {
    case 'grpc':
      return {
        transport: createGrpcTransport({ ...options, httpClient: readableStatus(client, protocol) }),
        close,
      };
    case 'grpc-web':
      return {
        transport: createGrpcWebTransport({ ...options, httpClient: readableStatus(client, protocol) }),
        close,
      };
    case 'connect':
      return { transport: createConnectTransport({ ...options, httpClient: client }), close };
  }
}

/** Signs all requests; what does it is loaded with the first one, as nobody else needs it. */
function signing(client: UniversalClientFn, address: Address, { region, credentials }: IamOptions) {
  const given = region ?? regionOf(address.origin);
  if (given === undefined) throw new TypeError(`iam needs a region: the name of ${address.origin} has none`);
  let signer: Promise<UniversalClientFn> | undefined;
  return async (request: UniversalClientRequest) => {
    signer ??= import('./signing.ts').then(({ signed }) => signed(client, given, credentials));
    return (await signer)(request);
  };
}

/** The region in the name of an endpoint of AWS Lambda; undefined if it has none. */
function regionOf(origin: string): string | undefined {
  return /\.lambda-web\.([a-z]{2}(?:-[a-z]+)+-\d)\.on\.aws$/.exec(new URL(origin).hostname)?.[1];
}

/** Makes HTTP requests, and releases its connections. */
interface HttpClient {
  readonly client: UniversalClientFn;
  close(): void;
}

function openHttp2(address: Address, options: SessionOptions, protocol: Protocol): HttpClient {
  const connection = new Connection(address, options);
  const client = createNodeHttpClient({ httpVersion: '2', sessionProvider: () => connection });
  const otherwise = protocol === 'grpc' ? ', which gRPC needs' : ': choose HTTP/1.1';
  return {
    client: (request) =>
      client(request).catch((reason) => {
        if (fateOf(reason) !== 'not HTTP/2') throw reason;
        const message = `what listens there does not speak HTTP/2${otherwise}`;
        throw new ConnectError(message, Code.Unavailable, undefined, undefined, reason);
      }),
    close: () => connection.close(),
  };
}

function openHttp1(address: Address, options: SessionOptions): HttpClient {
  const { agent, close } = openAgent(address, options);
  return { client: createNodeHttpClient({ httpVersion: '1.1', nodeOptions: { agent } }), close };
}
