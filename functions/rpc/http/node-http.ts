import type http from 'node:http';
import type http2 from 'node:http2';

/** A request of either HTTP version, as node's servers hand it over. */
export type NodeRequest = http.IncomingMessage | http2.Http2ServerRequest;
/** The response to it. */
export type NodeResponse = (http.ServerResponse | http2.Http2ServerResponse) & NodeJS.WritableStream;
