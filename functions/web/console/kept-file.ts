import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { HttpRequest, HttpResponse } from '../../rpc/index.ts';

/** A body that is the same for everybody: compressed at most once, and not sent to who has it already. */
export class KeptFile {
  readonly #contentType: string;
  readonly #bytes: Buffer;
  readonly #digest: string;
  #gzipped: Promise<Buffer> | undefined;

  /** `contentType`: with the charset. */
  constructor(contentType: string, text: string) {
    this.#contentType = contentType;
    this.#bytes = Buffer.from(text);
    this.#digest = createHash('sha256').update(this.#bytes).digest('base64url').slice(0, 22);
  }

  /** Answers a GET: 304 to who has it, else the body, in gzip where that is accepted. */
  async answer({ headers }: Pick<HttpRequest, 'headers'>, response: HttpResponse): Promise<void> {
    const isGzip = takesGzip(headers['accept-encoding']);
    // Other bytes have another tag (RFC 9110 section 8.8.3.3).
    const tag = `"${this.#digest}${isGzip ? '-gzip' : ''}"`;
    response.setHeader('etag', tag);
    response.setHeader('vary', 'accept-encoding');
    response.setHeader('content-type', this.#contentType);
    if (names(headers['if-none-match'], tag)) {
      response.status = 304;
      return;
    }
    const body = isGzip ? await this.#compress() : this.#bytes;
    if (isGzip) response.setHeader('content-encoding', 'gzip');
    response.setHeader('content-length', String(body.length));
    await response.send(body);
  }

  #compress(): Promise<Buffer> {
    this.#gzipped ??= promisify(gzip)(this.#bytes, { level: 9 });
    return this.#gzipped;
  }
}

/** Whether a client takes gzip by name: `gzip;q=0` says that it does not. */
function takesGzip(accepted: string | string[] | undefined): boolean {
  return /(?:^|,)\s*gzip\s*(?:,|$|;\s*q=(?:1|0?\.\d*[1-9]))/i.test(String(accepted ?? ''));
}

/** Whether `if-none-match` has a tag; weak comparison, as RFC 9110 section 13.1.2 has it. */
function names(ifNoneMatch: string | undefined, tag: string): boolean {
  const tags = ifNoneMatch?.split(',').map((it) => it.trim().replace(/^W\//, '')) ?? [];
  return tags.includes(tag) || tags.includes('*');
}
