import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { type ConnectNodeAdapterOptions, connectNodeAdapter } from '@connectrpc/connect-node';

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
  const sessions = new Set<http2.ServerHttp2Session>();
  if (version === 1) {
    server = secure ? https.createServer(secure, handler) : http.createServer(handler);
  } else {
    server = secure ? http2.createSecureServer(secure, handler) : http2.createServer(handler);
    server.on('session', (session) => {
      sessions.add(session);
      session.on('close', () => sessions.delete(session));
    });
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port, // a TCP server that listens has no other
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        if ('closeAllConnections' in server) server.closeAllConnections();
        for (const session of sessions) session.destroy();
      }),
  };
}
