import { toJsonString } from '@bufbuild/protobuf';
import type { ConnectError } from '@connectrpc/connect';
import { type GetUsersResult, GetUsersResultSchema } from '../../proto/gen/users_types_pb.js';
import { connectCodeName, type ErrorResponse } from '../rpc/index.ts';

/** How results are written for those who asked, part by part. */
export interface Rendering {
  /** Names and values in turn. */
  readonly headers: readonly string[];
  /** What comes before the first result. */
  begin(): string;
  row(result: GetUsersResult): string;
  /** What comes after the last result. */
  end(): string;
  /** An error: the whole body, or its end if the body has begun. */
  error(error: ConnectError, response: Pick<ErrorResponse, 'isBegun' | 'status'>): string;
}

/** The media type of newline-delimited JSON. */
export const linesType = 'application/x-ndjson';

/** For programs: a line of JSON for each result, and one for an error. */
export const linesRendering: Rendering = {
  headers: [
    ...['content-type', linesType],
    ...['cache-control', 'no-store'],
    ...['x-content-type-options', 'nosniff'],
    ...['vary', 'accept'],
  ],
  begin: () => '',
  row: (result) => `${toJsonString(GetUsersResultSchema, result)}\n`,
  end: () => '',
  error({ code, rawMessage: message }) {
    return `${JSON.stringify({ error: { code: connectCodeName(code), message } })}\n`;
  },
};
