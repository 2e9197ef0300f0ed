import http from 'node:http';
import https from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import {
  type ExportResponse,
  type IExporterTransport,
  OTLPExporterError,
} from '@opentelemetry/otlp-exporter-base';
import type { OtlpEndpoint } from './settings.ts';

/** As the SDK's own transport tries again: five times, after 1 s and then half as long again each time. */
const maxRetries = 5;
const firstBackoffMs = 1_000;
const backoffFactor = 1.5;
/** Servers that have failed together do not come again together: each by so much earlier or later. */
const jitter = 0.2;
/** Statuses that may pass (https://opentelemetry.io/docs/specs/otlp/#retryable-response-codes). */
const passingStatuses: ReadonlySet<number> = new Set([429, 502, 503, 504]);
/** Of an answer, so much is read. */
const maxResponseBytes = 64 * 1024;

const zip = promisify(gzip);

/**
 * Sends OTLP over HTTP. Whatever the other side does, an export is over at its time: with the SDK's own transport
 * (0.301) one whose answer drips, or is 101, never ends, and neither do those that wait for it.
 */
export class HttpTransport implements IExporterTransport {
  protected readonly url: URL;
  readonly #endpoint: OtlpEndpoint;
  readonly #agent: http.Agent;

  constructor(endpoint: OtlpEndpoint) {
    this.#endpoint = endpoint;
    this.url = new URL(endpoint.url);
    const { ca } = endpoint;
    this.#agent =
      this.url.protocol === 'https:'
        ? new https.Agent({ keepAlive: true, ...(ca && { ca }) })
        : new http.Agent({ keepAlive: true });
  }

  async send(data: Uint8Array, timeoutMillis: number): Promise<ExportResponse> {
    const isZipped = this.#endpoint.compression === 'gzip';
    const body = isZipped ? await zip(data) : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    const headers = { ...this.#endpoint.headers, ...(isZipped && { 'content-encoding': 'gzip' }) };
    const endsAtMs = performance.now() + timeoutMillis;
    const controller = new AbortController();
    const late = Promise.withResolvers<never>();
    // Between two attempts nobody waits for it.
    late.promise.catch(() => {});
    const timer = setTimeout(() => {
      const error = new Error(`no whole answer within ${timeoutMillis} ms`);
      late.reject(error);
      controller.abort(error);
    }, timeoutMillis);
    let backoffMs = firstBackoffMs;
    try {
      for (let retries = 0; ; retries += 1) {
        const attempt = this.#attempt(body, headers, controller.signal);
        const response = await Promise.race([attempt, late.promise]).catch(failed);
        if (response.status !== 'retryable' || retries === maxRetries) return response;
        const spread = 1 - jitter + 2 * jitter * Math.random();
        const waitMs = response.retryInMillis ?? backoffMs * spread;
        backoffMs *= backoffFactor;
        if (performance.now() + waitMs >= endsAtMs) return response;
        await delay(waitMs);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  shutdown(): void {
    this.#agent.destroy();
  }

  /** The headers of an attempt: those of the endpoint, and what a request needs besides. */
  protected async headersOf(_: Buffer, headers: Record<string, string>): Promise<Record<string, string>> {
    return headers;
  }

  async #attempt(body: Buffer, given: Record<string, string>, signal: AbortSignal): Promise<ExportResponse> {
    const headers = await this.headersOf(body, given);
    const { request } = this.url.protocol === 'https:' ? https : http;
    const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
    request(this.url, { method: 'POST', headers, agent: this.#agent, signal })
      .on('response', resolve)
      .on('upgrade', ({ statusMessage, statusCode }, socket) => {
        socket.destroy();
        reject(new OTLPExporterError(statusMessage, statusCode));
      })
      .on('error', reject)
      .on('close', () => reject(new Error('the connection is closed')))
      .end(body);
    return responseOf(await promise);
  }
}

/** A network may come back; who has refused will do so again. */
function failed(error: Error): ExportResponse {
  return { status: error instanceof OTLPExporterError ? 'failure' : 'retryable', error };
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
