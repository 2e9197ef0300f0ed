import { Code, ConnectError } from '@connectrpc/connect';
import type { HttpResource } from '../../rpc/index.ts';
import { assertOwnPage, connectErrorText, consoleHeaders } from './console-headers.ts';
import type { LiveFigures } from './contract.ts';
import type { RecentCalls } from './recent-calls.ts';

/** Answers `/console/live?after=SEQ` with a `LiveAnswer`: what has happened since, and how the server is. */
export function liveResource(calls: RecentCalls, read: () => LiveFigures): HttpResource {
  return {
    paths: ['/console/live'],
    methods: ['GET'],
    headers: consoleHeaders,
    isQuiet: true,
    isPart: true,
    async answer({ query, headers }, response) {
      assertOwnPage(headers);
      const { last, missed, calls: since } = calls.since(parseAfter(query));
      response.setHeader('cache-control', 'no-store');
      // Calls are kept as JSON: they are put together as they are.
      const figures = JSON.stringify(read());
      await response.send(
        `{"last":${last},"missed":${missed},"calls":[${since.join()}],"figures":${figures}}`,
      );
    },
    errorText: connectErrorText,
  };
}

function parseAfter(query: URLSearchParams): number {
  const text = query.get('after') ?? '0';
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new ConnectError('after must be the number of a call', Code.InvalidArgument);
}
