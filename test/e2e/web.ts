import type { IncomingHttpHeaders } from 'node:http';
import { text } from 'node:stream/consumers';
import { parseAddress } from '../../client/connection/address.ts';
import { dial } from '../../client/connection/dial.ts';
import { requestHttp1 } from '../support/raw-request.ts';
import { authorization, type Target } from './target.ts';

/** What came back over HTTP/1.1. */
export interface WebAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** An HTTP/1.1 request by hand: GET, or POST with a body. */
export async function webRequest(
  target: Target,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  content?: string,
): Promise<WebAnswer> {
  const address = parseAddress(target.endpoint, target.serverName, { ca: target.ca });
  const head = {
    method: content === undefined ? 'GET' : 'POST',
    path,
    headers: { ...authorization(target), ...headers },
  };
  const exchange = requestHttp1(address.origin, head, { createConnection: () => dial(address, 'http/1.1') });
  exchange.request.end(content);
  const body = await text(exchange.chunks());
  return { status: exchange.status, headers: exchange.headers, body };
}
