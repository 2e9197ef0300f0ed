import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { text } from 'node:stream/consumers';
import { dial, parseAddress } from '../../client/dial.ts';
import type { Target } from './target.ts';

/** What came back over HTTP/1.1. */
export interface WebAnswer {
  readonly status: number;
  readonly body: string;
}

/** An HTTP/1.1 request by hand: GET, or POST with a body. */
export async function webRequest(
  target: Target,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  body?: string,
): Promise<WebAnswer> {
  const address = parseAddress(target.endpoint, target.serverName, { ca: target.ca });
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const request = (address.secure ? https : http).request(new URL(path, address.origin), {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      ...(target.token === undefined ? {} : { authorization: `Bearer ${target.token}` }),
      ...headers,
    },
    createConnection: () => dial(address, 'http/1.1'),
  });
  request.on('response', resolve).on('error', reject).end(body);
  const response = await promise;
  return { status: response.statusCode ?? 0, body: await text(response) };
}
