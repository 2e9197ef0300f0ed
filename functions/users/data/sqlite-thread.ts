import { Worker } from 'node:worker_threads';

/** A row as node:sqlite returns it. */
export type Row = Readonly<Record<string, unknown>>;

/** Text, so that it needs no file of its own in a bundle. */
const code = `
  const { parentPort, workerData: { path, sql, values } } = require('node:worker_threads');
  const { DatabaseSync } = require('node:sqlite');
  const db = new DatabaseSync(path, { readOnly: true, timeout: 5_000 });
  try {
    parentPort.postMessage(db.prepare(sql).all(...values));
  } finally {
    db.close();
  }
`;

/**
 * Runs one statement on a file in a thread of its own: a statement may take minutes, and this thread is to show
 * progress and take signals meanwhile. Nothing stops a statement of SQLite but the end of the process.
 *
 * @returns all its rows
 * @throws the error of SQLite; the signal's reason at once when it is aborted, while the statement still runs
 */
export async function inThread(
  path: string,
  sql: string,
  values: readonly string[],
  signal: AbortSignal,
): Promise<readonly Row[]> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<readonly Row[]>();
  const worker = new Worker(code, { eval: true, workerData: { path, sql, values } });
  worker.once('message', resolve);
  worker.once('error', reject);
  const onAbort = () => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await promise;
  } finally {
    signal.removeEventListener('abort', onAbort);
    worker.unref();
  }
}
