import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type OtlpReceiver, receiveOtlp } from '../support/otlp-receiver.ts';
import { root } from '../support/process.ts';

/** A span as OTLP's JSON has it, its attributes as an object. */
export interface CollectedSpan {
  readonly name: string;
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly status: { readonly code?: number };
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly service: unknown;
}

/** A metric as OTLP's JSON has it: its data are under the name of its kind. */
export interface CollectedMetric {
  readonly name: string;
  readonly unit?: string;
  readonly histogram?: { readonly dataPoints: readonly { readonly attributes: readonly Attribute[] }[] };
}

interface Attribute {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

/** An OpenTelemetry collector, built of its own modules. It hands on what it receives, and so the test sees that. */
export class Collector {
  /** Where it receives OTLP. */
  readonly url: string;
  readonly #receiver: OtlpReceiver;

  private constructor(url: string, receiver: OtlpReceiver) {
    this.url = url;
    this.#receiver = receiver;
  }

  /** Runs one until the test ends. Builds it if it is not there: that needs Go. */
  static async start(t: TestContext): Promise<Collector> {
    const program = execFileSync(join(root, '.ci/tools/go'), ['collector'], { encoding: 'utf8' }).trim();
    const receiver = await receiveOtlp(t);
    const folder = mkdtempSync(join(tmpdir(), 'users-collector-'));
    const port = await freePort();
    const config = join(folder, 'collector.json');
    writeFileSync(config, JSON.stringify(configOf(port, receiver.url)));
    const child = spawn(program, ['--config', `file:${config}`], { stdio: ['ignore', 'ignore', 'pipe'] });
    t.after(async () => {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      rmSync(folder, { recursive: true });
    });
    let said = '';
    const isReady = Promise.withResolvers<void>();
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (said.includes('Everything is ready')) isReady.resolve();
    });
    child.on('error', isReady.reject);
    child.on('exit', (code) => isReady.reject(new Error(`the collector ended with ${code}: ${said}`)));
    await isReady.promise;
    return new Collector(`http://127.0.0.1:${port}`, receiver);
  }

  /** The spans that it has received so far. */
  spans(): CollectedSpan[] {
    return this.#bodies('/v1/traces').flatMap(({ resourceSpans }) =>
      resourceSpans.flatMap(({ resource, scopeSpans }: ResourceSpans) => {
        const service = attributesOf(resource.attributes)['service.name'];
        return scopeSpans.flatMap(({ spans }) =>
          spans.map((it) => ({ ...it, attributes: attributesOf(it.attributes), service })),
        );
      }),
    );
  }

  /** Waits until it has received all of these; returns all spans. */
  async spansWith(isComplete: (spans: readonly CollectedSpan[]) => boolean): Promise<CollectedSpan[]> {
    await this.#receiver.next(() => isComplete(this.spans()));
    return this.spans();
  }

  /** Waits for a metric; returns its latest form. */
  async metric(name: string): Promise<CollectedMetric> {
    const find = () => this.#metrics().findLast((it) => it.name === name);
    await this.#receiver.next(() => find() !== undefined);
    return find() ?? assert.fail(`no metric ${name}`);
  }

  #metrics(): CollectedMetric[] {
    return this.#bodies('/v1/metrics').flatMap(({ resourceMetrics }) =>
      resourceMetrics.flatMap(({ scopeMetrics }: ResourceMetrics) =>
        scopeMetrics.flatMap((it) => it.metrics),
      ),
    );
  }

  #bodies(path: string) {
    return this.#receiver.received
      .filter((it) => it.path === path)
      .map(({ body }) => JSON.parse(body.toString()));
  }
}

interface ResourceSpans {
  readonly resource: { readonly attributes: readonly Attribute[] };
  readonly scopeSpans: readonly {
    readonly spans: readonly (CollectedSpan & { readonly attributes: readonly Attribute[] })[];
  }[];
}

interface ResourceMetrics {
  readonly scopeMetrics: readonly { readonly metrics: readonly CollectedMetric[] }[];
}

/** Attributes by their names. */
export function attributesOf(attributes: readonly Attribute[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}

/** JSON is YAML, which it reads. */
function configOf(port: number, receiverUrl: string) {
  const pipeline = { receivers: ['otlp'], exporters: ['otlp_http'] };
  return {
    receivers: { otlp: { protocols: { http: { endpoint: `127.0.0.1:${port}` } } } },
    exporters: {
      otlp_http: {
        endpoint: receiverUrl,
        encoding: 'json',
        compression: 'none',
        sending_queue: { enabled: false },
      },
    },
    service: {
      telemetry: { metrics: { level: 'none' } },
      pipelines: { traces: pipeline, metrics: pipeline },
    },
  };
}

/** A port of 127.0.0.1 that nobody listens at. */
async function freePort(): Promise<number> {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  // Of a server on a port.
  const { port } = listener.address() as AddressInfo;
  await once(listener.close(), 'close');
  return port;
}
