import type { Count, Metrics } from '../rpc/index.ts';
import { StoreError, type StoreEvents, type StoreSystem } from './store.ts';
import { type StoreObserver, type StoreOperation, storeOperations } from './store-watch.ts';
import { primaryCode } from './stores/sqlite-errors.ts';

/** From a look into memory to a transaction that waits. */
const durationBounds = [
  0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
  0.5, 1, 2.5, 5, 10,
];
const batchBounds = [1, 2, 5, 10, 20, 50, 100];

/** What is measured of stores. */
export interface StoreMetrics extends StoreEvents {
  /** Measures the calls of one, for `watchedStore`. */
  of(system: StoreSystem): StoreObserver;
}

/**
 * Adds the metrics of stores, by OpenTelemetry's conventions for databases: `db.client.operation.duration` and
 * `db.client.operation.batch.size`; and those that have none: `db.client.request.keys`, `db.client.request.calls`,
 * `db.client.retries` and `db.client.throttles`.
 *
 * @throws Error when these metrics are there already
 */
export function storeMetrics(metrics: Metrics): StoreMetrics {
  const durations = metrics.histogram(
    'db.client.operation.duration',
    { description: 'How long calls of the store take', unit: 's' },
    durationBounds,
  );
  const batches = metrics.histogram(
    'db.client.operation.batch.size',
    { description: 'Users that one call of the store looks for', unit: '{user}' },
    batchBounds,
  );
  const requestKeys = metrics.histogram(
    'db.client.request.keys',
    { description: 'Keys that one request to the store reads', unit: '{key}' },
    batchBounds,
  );
  const requestCalls = metrics.histogram(
    'db.client.request.calls',
    { description: 'Calls of the store that share one request', unit: '{call}' },
    batchBounds,
  );
  const retries = metrics.counter('db.client.retries', {
    description: 'Requests to the store that were sent once more',
    unit: '{request}',
  });
  const throttles = metrics.counter('db.client.throttles', {
    description: 'Requests that the store refused, in whole or in part, because there were too many',
    unit: '{request}',
  });
  const countOf = (series: typeof retries, system: StoreSystem): Count =>
    series.of({ 'db.system.name': system });

  return {
    retried: (system) => countOf(retries, system).add(1),
    throttled: (system) => countOf(throttles, system).add(1),
    readFor(system, keys, calls) {
      const labels = { 'db.system.name': system };
      requestKeys.of(labels).record(keys);
      requestCalls.of(labels).record(calls.length);
    },
    of(system) {
      // Their series begin with zero, so that their first increase is seen.
      for (const series of [retries, throttles]) countOf(series, system).add(0);
      const labelsOf = (operation: StoreOperation) => ({
        'db.system.name': system,
        'db.operation.name': operation,
      });
      const answered = new Map(storeOperations.map((it) => [it, durations.of(labelsOf(it))]));
      const batch = batches.of(labelsOf('find'));
      return {
        wantsDuration: true,
        ended(operation, durationMs, users, error) {
          const series = error === undefined ? answered.get(operation) : undefined;
          const failed = () => durations.of({ ...labelsOf(operation), 'error.type': errorTypeOf(error) });
          (series ?? failed()).record(durationMs / 1000);
          if (operation === 'find') batch.record(users);
        },
      };
    },
  };
}

/**
 * What a call failed with, out of few words: the error of DynamoDB by its name, that of SQLite by its code
 * (https://sqlite.org/rescode.html), else the type of ours. `cancelled`: the call that it served had ended.
 */
function errorTypeOf(error: unknown): string {
  if (!(error instanceof StoreError)) return 'cancelled';
  const { cause } = error;
  const code = primaryCode(cause);
  if (code !== undefined) return String(code);
  return cause instanceof Error && cause.name !== 'Error' ? cause.name : error.name;
}
