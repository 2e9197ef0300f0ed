import { randomBytes } from 'node:crypto';

/** The header that names a call in the logs of every party. */
export const requestIdHeader = 'x-request-id';

/** 72 random bits for each process and a count: as good as a UUID, without its random bytes for each call. */
const processId = randomBytes(9).toString('base64url');
let count = 0;

/** Looked at before the text: node makes that of repeated headers only when somebody reads it. */
const maxIdCharacters = 128;

/**
 * The id that the client has sent, if it is fit for a log (1 to 128 visible ASCII characters, without `"` and `\`,
 * which would end a text), else a new one.
 */
export function requestId(header: string | string[] | undefined): string {
  if (typeof header === 'string' && header.length <= maxIdCharacters && /^[!#-[\]-~]+$/.test(header))
    return header;
  count += 1;
  return `${processId}-${count.toString(36)}`;
}
