import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import { type ConnectNodeAdapterOptions, connectNodeAdapter } from '@connectrpc/connect-node';
import { listen } from './listener.ts';

/** A server of connect-node alone, to compare ours with. */
export interface StockServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Starts connect-node's handlers on node:http2 or, with `http: 1`, node:http, at a free port of loopback. */
export async function startStockServer(
  options: ConnectNodeAdapterOptions & {
    http?: 1 | 2;
    tls?: { cert: string | Buffer; key: string | Buffer; clientCa?: string | Buffer };
  },
): Promise<StockServer> {
  const { http: version = 2, tls, ...adapter } = options;
  const handler = connectNodeAdapter(adapter);
  const secure = tls && {
    cert: tls.cert,
    key: tls.key,
    ca: tls.clientCa,
    requestCert: tls.clientCa !== undefined,
  };
  let server: http.Server | https.Server | http2.Http2Server | http2.Http2SecureServer;
  if (version === 1) server = secure ? https.createServer(secure, handler) : http.createServer(handler);
  else server = secure ? http2.createSecureServer(secure, handler) : http2.createServer(handler);
  const listener = await listen(server);
  return {
    port: listener.port,
    async close() {
      listener.cut();
      await listener[Symbol.asyncDispose]();
    },
  };
}
