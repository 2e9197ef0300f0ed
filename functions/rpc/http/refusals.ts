import { STATUS_CODES } from 'node:http';
import type { ConnectError } from '@connectrpc/connect';
import { requestIdHeader } from '../call/request-id.ts';
import type { Wire } from '../call/wire.ts';
import { errorJson } from '../connect/error-json.ts';
import { rpcError } from '../errors.ts';
import type { Exchange } from './exchange.ts';
import { acceptsHtml, escapeHtml, pageEnd, pageHeaders, pageStart } from './page.ts';
import type { Refusal } from './refused-call.ts';

const nothingSent = { sentHeader: undefined, sentTrailer: undefined };

/** Paths that lead nowhere are cut to this length in answers. No method has a name that long. */
const maxPathCharacters = 256;

/** A call of a method that does not exist, in a protocol that has its own words for that. `similar`: one that does. */
export function unknownMethod(wire: Wire, path: string, similar: string | undefined): Refusal {
  const hint = similar === undefined ? '' : `; did you mean ${similar}?`;
  const said = rpcError('UNKNOWN_METHOD', `${path.slice(0, maxPathCharacters)}${hint}`);
  const { protocol, exchange } = wire;
  // 404 tells Connect clients the code even where they don't read the body.
  const answer =
    protocol === 'connect'
      ? (requestId: string) => answerJson(exchange, 404, requestId, said)
      : (requestId: string) => wire.fail(requestId, said, nothingSent);
  return { protocol, path, error: rpcError('UNKNOWN_METHOD', similar), answer };
}

/**
 * gRPC over HTTP/1.1: a proxy in front has made it of HTTP/2, or the client is none of gRPC. A response that is nothing
 * but headers (Trailers-Only in https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses) passes the
 * way back whole, so that every client of gRPC shows the status and its words.
 */
export function grpcNeedsHttp2(wire: Wire, path: string): Refusal {
  const { protocol } = wire;
  const error = rpcError('GRPC_NEEDS_HTTP2');
  return { protocol, path, error, answer: (requestId) => wire.fail(requestId, error, nothingSent) };
}

/** A request whose headers are more than the server takes. `wire`: of gRPC, which has its own words for that. */
export function headersTooLarge(exchange: Exchange, path: string, wire: Wire | undefined): Refusal {
  const error = rpcError('HEADERS_TOO_LARGE');
  if (wire === undefined) return inText(exchange, path, 431, error, 'Send less headers.\n');
  const answer = (requestId: string) => wire.fail(requestId, error, nothingSent);
  return { protocol: wire.protocol, path, error, answer };
}

/** A request of a path that nobody answers. `places`: paths that are answered, besides the methods. */
export function nothingThere(exchange: Exchange, path: string, places: readonly string[]): Refusal {
  const asked = `${exchange.method} ${path.slice(0, maxPathCharacters)}`;
  const text = `There is nothing at ${asked}. Besides the methods there is ${places.join(', ')}.\n`;
  const links = places.map((it) => `<li><a href="${escapeHtml(it)}">${escapeHtml(it)}</a></li>\n`).join('');
  const html = `<p>There is nothing at ${escapeHtml(asked)}. Besides the methods there is</p>\n<ul>\n${links}</ul>\n`;
  return inText(exchange, path, 404, rpcError('NOT_FOUND'), text, { html });
}

/** A request of a method by another HTTP method than its protocols use. `allowed`: those. */
export function methodNotAllowed(exchange: Exchange, path: string, allowed: string): Refusal {
  return inText(exchange, path, 405, rpcError('METHOD_NOT_ALLOWED'), `Call it by ${allowed}.\n`, {
    headers: ['allow', allowed],
  });
}

/** A request of a method with a body that no protocol has. `taken`: the content types that there are. */
export function unsupportedMediaType(
  exchange: Exchange,
  path: string,
  taken: string,
  isStreaming: boolean,
): Refusal {
  // People try a stream as they would a unary method, with a body of plain JSON.
  const why = isStreaming
    ? 'This method streams its messages, each in a frame of its own: a client of Connect, gRPC or gRPC-Web is needed.\n'
    : '';
  const text = `${why}This method takes ${taken}: give one of them as the header content-type.\n`;
  const headers = ['accept-post', taken];
  return inText(exchange, path, 415, rpcError('UNKNOWN_CONTENT_TYPE'), text, { headers });
}

/**
 * A method with streams in both directions over HTTP/1.1. The connection is closed: clients that expect both may hang
 * otherwise (as connect-es has it).
 */
export function needsHttp2(exchange: Exchange, path: string): Refusal {
  const text = 'This method needs HTTP/2.\n';
  return inText(exchange, path, 505, rpcError('NEEDS_HTTP2'), text, { headers: ['connection', 'close'] });
}

/** A request that names no host, or two. */
export function badHost(exchange: Exchange, path: string): Refusal {
  const error = rpcError('BAD_HOST');
  return {
    protocol: 'http',
    path,
    error,
    answer: (requestId) => answerJson(exchange, 400, requestId, error),
  };
}

function inText(
  exchange: Exchange,
  path: string,
  status: number,
  error: ConnectError,
  text: string,
  {
    html = paragraphs(text),
    headers = [],
  }: { readonly html?: string; readonly headers?: readonly string[] } = {},
): Refusal {
  const answer = (requestId: string) => {
    const isPage = acceptsHtml(exchange.headers);
    const body = Buffer.from(isPage ? refusalPage(status, html) : text);
    const all = [
      ':status',
      String(status),
      requestIdHeader,
      requestId,
      ...(isPage ? pageHeaders : textHeaders),
      ...headers,
    ];
    exchange.sendHeaders([...all, 'content-length', String(body.length)], false);
    exchange.end(body);
  };
  return { protocol: 'http', path, error, answer };
}

const textHeaders = ['content-type', 'text/plain', 'vary', 'accept'];

/** For people who have come with a browser. */
function refusalPage(status: number, html: string): string {
  return `${pageStart(`${status} ${STATUS_CODES[status] ?? ''}`)}${html}${pageEnd}`;
}

function paragraphs(text: string): string {
  const lines = text.trimEnd().split('\n');
  return lines.map((it) => `<p>${escapeHtml(it)}</p>\n`).join('');
}

function answerJson(exchange: Exchange, status: number, requestId: string, error: ConnectError): void {
  const headers = [':status', String(status), 'content-type', 'application/json', requestIdHeader, requestId];
  exchange.sendHeaders(headers, false);
  exchange.end(Buffer.from(JSON.stringify(errorJson(error))));
}
