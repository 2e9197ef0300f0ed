import http from 'node:http';
import https from 'node:https';
import type { DescService } from '@bufbuild/protobuf';
import { type Client, createClient, type Transport } from '@connectrpc/connect';
import {
  type ConnectTransportOptions,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  type GrpcTransportOptions,
  Http2SessionManager,
} from '@connectrpc/connect-node';
import type { UsersClientOptions } from '../../client/client.ts';
import { closeBefore, type Serving } from './server.ts';

/** A protocol over a version of HTTP. */
export interface Wire {
  readonly protocol: 'grpc' | 'grpc-web' | 'connect';
  readonly http: '1.1' | '2';
}

/** All that the server speaks. */
export const wires: readonly Wire[] = [
  { protocol: 'grpc', http: '2' },
  { protocol: 'grpc-web', http: '2' },
  { protocol: 'grpc-web', http: '1.1' },
  { protocol: 'connect', http: '2' },
  { protocol: 'connect', http: '1.1' },
];

/** For the titles of tests. */
export function nameOf({ protocol, http: version }: Wire): string {
  return `${protocol} over HTTP/${version}`;
}

/** The same as our client's options name it. */
export type Way = Required<Pick<UsersClientOptions, 'protocol' | 'httpVersion'>>;

/** All that our client speaks. */
export const ways: readonly (Way & { readonly name: string })[] = wires.map((wire) => ({
  name: nameOf(wire),
  protocol: wire.protocol,
  httpVersion: wire.http,
}));

/** What connect-node's transports take, for TLS also the trust. */
export type WireOptions = Pick<
  Partial<GrpcTransportOptions & ConnectTransportOptions>,
  | 'useBinaryFormat'
  | 'sendCompression'
  | 'acceptCompression'
  | 'compressMinBytes'
  | 'readMaxBytes'
  | 'writeMaxBytes'
> & {
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  /** Where the connection comes from, such as 127.0.0.2: to the server, another client. */
  readonly localAddress?: string;
};

/** connect-node's own transport to the server, of which the connection closes before the server drains. */
export function transportOf(
  serving: Serving,
  wire: Wire,
  { tls = {}, localAddress, ...options }: WireOptions = {},
): Transport {
  const create = {
    grpc: createGrpcTransport,
    'grpc-web': createGrpcWebTransport,
    connect: createConnectTransport,
  }[wire.protocol];
  const baseUrl = serving.url;
  const connection = localAddress === undefined ? tls : { ...tls, localAddress };
  if (wire.http === '1.1') {
    const Agent = baseUrl.startsWith('https') ? https.Agent : http.Agent;
    const agent = new Agent({ keepAlive: true, ...connection });
    closeBefore(serving, () => agent.destroy());
    return create({ ...options, baseUrl, httpVersion: '1.1', nodeOptions: { agent } });
  }
  const sessionManager = new Http2SessionManager(baseUrl, {}, connection);
  closeBefore(serving, () => sessionManager.abort());
  return create({ ...options, baseUrl, httpVersion: '2', sessionManager });
}

/** connect's own client of a service. */
export function clientOf<S extends DescService>(
  service: S,
  serving: Serving,
  wire: Wire,
  options?: WireOptions,
): Client<S> {
  return createClient(service, transportOf(serving, wire, options));
}

/** Asks for a deadline in the words of the protocol, while the client itself has no timer. */
export function timeoutHeader({ protocol }: Wire, ms: number): { headers: Record<string, string> } {
  return protocol === 'connect'
    ? { headers: { 'connect-timeout-ms': String(ms) } }
    : { headers: { 'grpc-timeout': `${ms}m` } };
}
