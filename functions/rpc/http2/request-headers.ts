import type { IncomingHttpHeaders } from 'node:http2';
import { connectionHeaders } from './connection-headers.ts';
import type { FieldSink } from './hpack/decoder.ts';

/** What a field counts besides its texts (RFC 9113 section 10.5.1). */
const fieldBytes = 32;

/**
 * Of these, the first that comes counts; others are joined. As node:http2 has it, so that nothing depends on the
 * engine.
 */
const single = new Set(
  `access-control-allow-credentials access-control-max-age access-control-request-method age authorization
  content-encoding content-language content-length content-location content-md5 content-range content-type date dnt etag
  expires from host if-match if-modified-since if-none-match if-range if-unmodified-since last-modified location
  max-forwards proxy-authorization range referer retry-after tk upgrade-insecure-requests user-agent
  x-content-type-options`.split(/\s+/),
);

const pseudoNames = new Set([':method', ':scheme', ':authority', ':path']);
/** Kept of a request that has too many headers. */
const tellsProtocol = new Set([...pseudoNames, 'content-type']);

/** RFC 9110 section 5.6.2, in lower case (RFC 9113 section 8.2.1). */
const validName = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
/** RFC 9113 section 8.2.1. */
const invalidValue = /[\0\r\n]/;
/**
 * Not allowed either (RFC 9110 section 5.5), but some clients send it: the field counts as not sent, as with nghttp2.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const droppedValue = /^[ \t]|[ \t]$|[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]/;
/** RFC 9110 section 8.6; more digits than any body has bytes. */
const validLength = /^\d{1,15}$/;
/** Names that were found valid: clients send the same ones again and again. */
const knownNames = new Set<string>();
const maxKnownNames = 1_000;

/** The headers of one request, or its trailers, as they come out of the decoder. */
export class RequestHeaders implements FieldSink {
  /** Names in lower case, repeated ones joined. */
  readonly headers: IncomingHttpHeaders = Object.create(null);
  /** Their size as RFC 9113 section 10.5.1 counts it, also of those beyond the limit, which are not kept. */
  bytes = 0;
  pairs = 0;
  /** What is wrong with them: the request is malformed (section 8.1.1). */
  fault: string | undefined;
  readonly #isTrailers: boolean;
  readonly #maxBytes: number;
  readonly #maxPairs: number;
  #hasRegular = false;

  constructor(isTrailers: boolean, maxBytes: number, maxPairs: number) {
    this.#isTrailers = isTrailers;
    this.#maxBytes = maxBytes;
    this.#maxPairs = maxPairs;
  }

  /** Whether there is more than the server takes. */
  get isTooMuch(): boolean {
    return this.bytes > this.#maxBytes || this.pairs > this.#maxPairs;
  }

  field(name: string, value: string): void {
    this.bytes += name.length + value.length + fieldBytes;
    this.pairs += 1;
    // What is refused is answered in its own protocol all the same.
    if (this.fault !== undefined || (this.isTooMuch && !tellsProtocol.has(name))) return;
    if (name.charCodeAt(0) === 0x3a) this.#pseudo(name, value);
    else this.#regular(name, value);
  }

  /** Checks what the whole must have. Returns what is wrong. */
  finish(): string | undefined {
    if (this.fault !== undefined || this.#isTrailers) return this.fault;
    const { ':method': method, ':scheme': scheme, ':path': path, ':authority': authority } = this.headers;
    if (method === 'CONNECT') {
      // Section 8.5.
      if (scheme !== undefined || path !== undefined || !authority)
        this.fault = 'CONNECT is for an authority alone';
    } else if (!method || !scheme || !path) {
      this.fault = 'a pseudo header is missing'; // section 8.3.1
    }
    return this.fault;
  }

  /** Section 8.3. */
  #pseudo(name: string, value: string): void {
    if (this.#isTrailers) this.fault = 'trailers have no pseudo headers';
    else if (this.#hasRegular) this.fault = 'pseudo headers come first';
    else if (!pseudoNames.has(name)) this.fault = 'a pseudo header is none of a request';
    else if (this.headers[name] !== undefined) this.fault = 'a pseudo header comes twice';
    else if (invalidValue.test(value)) this.fault = 'a value has characters that it may not have';
    else this.headers[name] = value;
  }

  /** Sections 8.2.1 to 8.2.3. */
  #regular(name: string, value: string): void {
    this.#hasRegular = true;
    if (!isValidName(name)) this.fault = 'a name has characters that it may not have';
    else if (invalidValue.test(value)) this.fault = 'a value has characters that it may not have';
    else if (droppedValue.test(value)) return;
    else if (connectionHeaders.has(name)) this.fault = 'a header is of connections';
    else if (name === 'te' && value.toLowerCase() !== 'trailers') this.fault = 'te is trailers, or nothing';
    else if (name === 'content-length' && !validLength.test(value)) this.fault = 'a length is no number';
    else this.#add(name, value);
  }

  #add(name: string, value: string): void {
    const before = this.headers[name];
    if (before === undefined) {
      if (name === 'set-cookie') this.headers['set-cookie'] = [value];
      else this.headers[name] = value;
    } else if (Array.isArray(before)) before.push(value);
    else if (name === 'content-length' && before !== value) this.fault = 'two lengths of the content';
    else if (name === 'host')
      this.fault = 'two hosts'; // RFC 9112 section 3.2
    else if (!single.has(name)) this.headers[name] = `${before}${name === 'cookie' ? '; ' : ', '}${value}`;
  }
}

function isValidName(name: string): boolean {
  if (knownNames.has(name)) return true;
  if (!validName.test(name)) return false;
  if (knownNames.size < maxKnownNames) knownNames.add(name);
  return true;
}
