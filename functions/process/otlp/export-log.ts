import type { Count, Labels, Log, Metrics, Series } from '../../rpc/index.ts';

/** While nothing can be sent, the log says so at the beginning and then this often. */
const repeatMs = 600_000;

/**
 * What is known of the sending of one signal: it is counted, and the log is told when it fails and when it works again.
 */
export class ExportLog {
  readonly #what: string;
  readonly #origin: string;
  readonly #log: Pick<Log, 'info' | 'warn'>;
  readonly #items: Series<Count>;
  readonly #sent: Count;
  /** When the log was told last, on the clock of `performance.now()`; `undefined` while all is well. */
  #toldAtMs: number | undefined;
  #lost = 0;

  /**
   * @param what `span` or `metric_data_point`
   * @param url where they go; the log has its origin alone
   */
  constructor(
    what: 'span' | 'metric_data_point',
    url: string,
    metrics: Metrics,
    log: Pick<Log, 'info' | 'warn'>,
  ) {
    this.#what = what === 'span' ? 'spans' : 'metrics';
    this.#origin = new URL(url).origin;
    this.#log = log;
    const description = 'Those whose export has ended, well or not';
    this.#items = metrics.counter(`otel.sdk.exporter.${what}.exported`, { description, unit: `{${what}}` });
    this.#sent = this.#items.of({});
  }

  sent(count: number): void {
    this.#sent.add(count);
    if (this.#toldAtMs === undefined) return;
    this.#toldAtMs = undefined;
    this.#log.info({ endpoint: this.#origin, lost: this.#lost }, `${this.#what} are sent again`);
    this.#lost = 0;
  }

  /** They are lost. `reason`: what the system or the other side said. */
  failed(count: number, reason: string): void {
    const labels: Labels = { 'error.type': 'export_failed' };
    this.#items.of(labels).add(count);
    this.#lost += count;
    const nowMs = performance.now();
    if (this.#toldAtMs !== undefined && nowMs - this.#toldAtMs < repeatMs) return;
    this.#toldAtMs = nowMs;
    this.#log.warn({ endpoint: this.#origin, reason, lost: this.#lost }, `${this.#what} can't be sent`);
  }
}
