import type { TestContext } from 'node:test';
import type { Client, ServiceImpl } from '@connectrpc/connect';
import { type Serving, type ServingOptions, serve as serveRoutes } from '../support/server.ts';
import { clientOf, type Wire, type WireOptions } from '../support/transports.ts';
import { Echo } from './gen/echo_pb.js';

/** Serves these methods of Echo, unless the options have other routes, as every test's server is served. */
export function serve(
  t: TestContext,
  echo: Partial<ServiceImpl<typeof Echo>> = {},
  options: Partial<ServingOptions> = {},
): Promise<Serving> {
  return serveRoutes(t, { routes: (router) => router.service(Echo, echo), ...options });
}

/** A client of Echo. */
export function echoOf(serving: Serving, wire: Wire, options?: WireOptions): Client<typeof Echo> {
  return clientOf(Echo, serving, wire, options);
}
