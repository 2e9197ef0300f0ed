import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { defaultProvider } from '@aws-sdk/credential-provider-node';
import {
  type ExportResponse,
  type IExporterTransport,
  OTLPExporterError,
} from '@opentelemetry/otlp-exporter-base';
import { SignatureV4 } from '@smithy/signature-v4';
import type { Signing } from './aws-endpoint.ts';
import type { OtlpEndpoint } from './settings.ts';

/** As the SDK's own transport tries again: five times, after 1 s and then half as long again each time. */
const maxRetries = 5;
const firstBackoffMs = 1_000;
const backoffFactor = 1.5;
/** Statuses that may pass (https://opentelemetry.io/docs/specs/otlp/#retryable-response-codes). */
const passingStatuses: ReadonlySet<number> = new Set([429, 502, 503, 504]);
/** Of an answer, so much is read. */
const maxResponseBytes = 64 * 1024;

/** Where credentials come from: as the AWS SDK finds them, or in tests given ones. */
export type Credentials = ConstructorParameters<typeof SignatureV4>[0]['credentials'];

/** Sends OTLP to AWS with a signature of each request, of each retry too: it is good for some minutes only. */
export class SignedTransport implements IExporterTransport {
  readonly #endpoint: OtlpEndpoint;
  readonly #url: URL;
  readonly #signer: SignatureV4;
  readonly #agent: http.Agent;

  constructor(endpoint: OtlpEndpoint, signing: Signing, credentials: Credentials = defaultProvider()) {
    this.#endpoint = endpoint;
    this.#url = new URL(endpoint.url);
    this.#signer = new SignatureV4({ ...signing, credentials, sha256: Sha256 });
    const { ca } = endpoint;
    this.#agent =
      this.#url.protocol === 'https:'
        ? new https.Agent({ keepAlive: true, ...(ca && { ca }) })
        : new http.Agent({ keepAlive: true });
  }

  async send(data: Uint8Array, timeoutMillis: number): Promise<ExportResponse> {
    const isZipped = this.#endpoint.compression === 'gzip';
    const body = isZipped ? gzipSync(data) : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    const endsAtMs = performance.now() + timeoutMillis;
    let backoffMs = firstBackoffMs;
    for (let retries = 0; ; retries += 1) {
      const remainingMs = endsAtMs - performance.now();
      const response = await this.#attempt(body, isZipped, remainingMs).catch(
        (error: Error): ExportResponse => ({ status: 'retryable', error }),
      );
      if (response.status !== 'retryable' || retries === maxRetries) return response;
      const waitMs = response.retryInMillis ?? backoffMs;
      backoffMs *= backoffFactor;
      if (performance.now() + waitMs >= endsAtMs) return response;
      await delay(waitMs);
    }
  }

  shutdown(): void {
    this.#agent.destroy();
  }

  async #attempt(body: Buffer, isZipped: boolean, timeoutMs: number): Promise<ExportResponse> {
    const { protocol, hostname, port, host, pathname } = this.#url;
    const { headers } = await this.#signer.sign({
      method: 'POST',
      protocol,
      hostname,
      path: pathname,
      query: Object.fromEntries(this.#url.searchParams),
      headers: {
        ...this.#endpoint.headers,
        host,
        ...(isZipped && { 'content-encoding': 'gzip' }),
      },
      body,
      ...(port !== '' && { port: Number(port) }),
    });
    const { request } = protocol === 'https:' ? https : http;
    const signal = AbortSignal.timeout(Math.max(1, Math.ceil(timeoutMs)));
    const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
    request(this.#url, { method: 'POST', headers, agent: this.#agent, signal })
      .on('response', resolve)
      .on('error', reject)
      .end(body);
    return responseOf(await promise);
  }
}

async function responseOf(message: http.IncomingMessage): Promise<ExportResponse> {
  const { statusCode = 0, statusMessage } = message;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of message) {
    bytes += chunk.length;
    // Leaving the loop closes the connection.
    if (bytes > maxResponseBytes) break;
    chunks.push(chunk);
  }
  if (statusCode >= 200 && statusCode < 300) return { status: 'success', data: Buffer.concat(chunks) };
  const error = new OTLPExporterError(statusMessage, statusCode);
  if (!passingStatuses.has(statusCode)) return { status: 'failure', error };
  const seconds = Number.parseInt(message.headers['retry-after'] ?? '', 10);
  return { status: 'retryable', error, ...(seconds >= 0 && { retryInMillis: seconds * 1000 }) };
}

/** SHA-256, plain or with a key, as the signer wants it. */
class Sha256 {
  readonly #key: string | NodeJS.ArrayBufferView | undefined;
  #hash: Hash | Hmac;

  constructor(key?: string | ArrayBuffer | ArrayBufferView) {
    this.#key = key === undefined || typeof key === 'string' ? key : bytesOf(key);
    this.#hash = this.#begin();
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(typeof data === 'string' ? data : bytesOf(data));
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }

  reset(): void {
    this.#hash = this.#begin();
  }

  #begin(): Hash | Hmac {
    return this.#key === undefined ? createHash('sha256') : createHmac('sha256', this.#key);
  }
}

function bytesOf(data: ArrayBuffer | ArrayBufferView): Buffer {
  return ArrayBuffer.isView(data)
    ? Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    : Buffer.from(data);
}
