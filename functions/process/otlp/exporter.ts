import { type ExportResult, ExportResultCode } from '@opentelemetry/core';
import {
  createOtlpNetworkExportDelegate,
  type IOtlpExportDelegate,
  OTLPExporterError,
} from '@opentelemetry/otlp-exporter-base';
import { createOtlpHttpExporterMetrics } from '@opentelemetry/otlp-exporter-base/node-http';
import type { IExporterMetricsHelper, ISerializer } from '@opentelemetry/otlp-transformer';
import { signingOf } from './aws-endpoint.ts';
import type { ExportLog } from './export-log.ts';
import { HttpTransport } from './http-transport.ts';
import type { OtlpEndpoint } from './settings.ts';

/** Exports that are under way at a time. */
const maxParallelExports = 8;
const ownHeaders = { 'User-Agent': 'users-service-otlp', 'Content-Type': 'application/x-protobuf' };

/** What is sent: how it is written, and what it is called. */
export interface Signal<Internal, Response> {
  readonly serializer: ISerializer<Internal, Response>;
  readonly helper: IExporterMetricsHelper<Internal>;
  readonly component: string;
}

/** Sends one signal to its endpoint, by OpenTelemetry's exporter. */
export class Exporter<Internal, Response> {
  readonly #delegate: IOtlpExportDelegate<Internal>;
  readonly #signal: Signal<Internal, Response>;
  readonly #log: ExportLog;

  constructor(delegate: IOtlpExportDelegate<Internal>, signal: Signal<Internal, Response>, log: ExportLog) {
    this.#delegate = delegate;
    this.#signal = signal;
    this.#log = log;
  }

  export(items: Internal, done: (result: ExportResult) => void): void {
    this.#delegate.export(items, (result) => {
      const count = this.#signal.helper.countItems(items);
      if (result.code === ExportResultCode.SUCCESS) this.#log.sent(count);
      else this.#log.failed(count, reasonOf(result.error));
      done(result);
    });
  }

  forceFlush(): Promise<void> {
    return this.#delegate.forceFlush();
  }

  shutdown(): Promise<void> {
    return this.#delegate.shutdown();
  }
}

/** Opens an exporter; what signs requests to AWS is loaded only for an endpoint of theirs. */
export async function openExporter<Internal, Response>(
  endpoint: OtlpEndpoint,
  signal: Signal<Internal, Response>,
  log: ExportLog,
): Promise<Exporter<Internal, Response>> {
  const { serializer, helper, component } = signal;
  const { url, timeoutMs: timeoutMillis, compression } = endpoint;
  const shared = { timeoutMillis, compression, concurrencyLimit: maxParallelExports };
  const transport = await openTransport({ ...endpoint, headers: { ...endpoint.headers, ...ownHeaders } });
  const metrics = createOtlpHttpExporterMetrics(component, helper, url, undefined);
  return new Exporter(createOtlpNetworkExportDelegate(shared, serializer, metrics, transport), signal, log);
}

async function openTransport(endpoint: OtlpEndpoint): Promise<HttpTransport> {
  const signing = signingOf(endpoint.url);
  if (signing === undefined) return new HttpTransport(endpoint);
  const { SignedTransport } = await import('./signed-transport.ts');
  return new SignedTransport(endpoint, signing);
}

/** The body of an answer is not shown: nobody knows what it says. */
function reasonOf(error: Error | undefined): string {
  if (error === undefined) return 'unknown';
  const isStatus = error instanceof OTLPExporterError && error.code !== undefined;
  return isStatus ? `HTTP status ${error.code}` : error.message;
}
