/**
 * What is asked of a service's metrics in CloudWatch, by alarms and on the dashboard: PromQL, with the names that
 * OpenTelemetry gives and no suffixes. CloudWatch keeps each histogram as one series: a quantile needs no `le`
 * (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-PromQL-Querying.html). `docs/watching.md`
 * asks Prometheus the same.
 */
export class CallQueries {
  readonly #serviceName: string;

  /** `serviceName`: its `service.name`. */
  constructor(serviceName: string) {
    this.#serviceName = serviceName;
  }

  /** Calls a second, of each method. */
  get calls(): string {
    return `sum by ("rpc.method") (histogram_count(rate(${this.#series('rpc.server.call.duration')}[5m])))`;
  }

  /** Calls a second that end with another code than OK; health checks, which a server that drains refuses, are none. */
  get failures(): string {
    const matchers = ['"rpc.status_code"!="OK"', '"rpc.method"!~"grpc[.]health[.].*"'];
    const failed = this.#series('rpc.server.call.duration', ...matchers);
    return `sum by ("rpc.status_code") (histogram_count(rate(${failed}[5m])))`;
  }

  /** Seconds that a call of each method takes, at a quantile such as 0.99. */
  duration(quantile: number): string {
    return this.#quantile(quantile, 'rpc.server.call.duration', 'rpc.method');
  }

  /** Seconds that an operation of the store takes, at a quantile. */
  storeDuration(quantile: number): string {
    return this.#quantile(quantile, 'db.client.operation.duration', 'db.operation.name');
  }

  /** The part of the calls with a deadline that miss it. */
  get missedDeadlines(): string {
    return `sum(${this.#rate('rpc.server.deadlines.missed')}) / sum(${this.#rate('rpc.server.deadlines.given')})`;
  }

  /** Calls a second that are refused, by reason. `among`: those reasons alone. */
  refusals(among: readonly string[] = []): string {
    const matchers = among.length > 0 ? [`"reason"=~"${among.join('|')}"`] : [];
    return `sum by ("reason") (rate(${this.#series('rpc.server.refusals', ...matchers)}[5m]))`;
  }

  /** Deadlines missed in a second. */
  get missedDeadlineRate(): string {
    return `sum(${this.#rate('rpc.server.deadlines.missed')})`;
  }

  /** Retries of the store's client in a second, and requests that the store throttled. */
  get storeRetries(): readonly [retries: string, throttles: string] {
    return [`sum(${this.#rate('db.client.retries')})`, `sum(${this.#rate('db.client.throttles')})`];
  }

  /** Seconds of collecting garbage in each second, of the task that does most. */
  get garbageCollection(): string {
    return `max(histogram_sum(${this.#rate('v8js.gc.duration')}))`;
  }

  /** The part of the heap's limit that is used, on the task where it is largest. */
  get heap(): string {
    return `max(${this.#series('v8js.memory.heap.used')} / ${this.#series('v8js.memory.heap.limit')})`;
  }

  /** Whether each service can do its work, on the task where it is worst: 1, or 0. */
  get ready(): string {
    return `min by ("service") (${this.#series('server.ready')})`;
  }

  /** A figure of the task where it is largest, such as `nodejs.eventloop.delay.p99`. */
  most(gauge: string): string {
    return `max(${this.#series(gauge)})`;
  }

  /** A figure of all tasks together, such as `rpc.server.active_calls`. */
  total(gauge: string): string {
    return `sum(${this.#series(gauge)})`;
  }

  #quantile(quantile: number, histogram: string, by: string): string {
    return `histogram_quantile(${quantile}, sum by ("${by}") (${this.#rate(histogram)}))`;
  }

  #rate(counter: string): string {
    return `rate(${this.#series(counter)}[5m])`;
  }

  #series(metric: string, ...matchers: string[]): string {
    return `{${[`"${metric}"`, `"@resource.service.name"="${this.#serviceName}"`, ...matchers].join(', ')}}`;
  }
}
