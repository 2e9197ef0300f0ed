import type { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import type { Limits } from '../../limits.ts';
import { StoreError } from '../store.ts';
import { fault, isBusy } from './sqlite-errors.ts';

/** How long to wait before the next try while another process has the file: about as long as its commit takes. */
export const busyRetryMs = 2;

/** What is to be decided, and written, in a transaction. */
export interface Work<T> {
  /** What could not be done if it fails, as in "store the user". */
  readonly name: string;
  readonly decide: (nowMs: number) => T;
  /** Whether it may be made again where it is not known if it was made. */
  readonly isRepeatable: boolean;
}

/** Commits work of many callers together, since a commit costs a sync of the disk. */
export interface CommitQueue {
  /**
   * Resolves with what was decided, once it is on the disk. The work that is added in the same turn of the event loop
   * is committed together, in its order.
   *
   * @throws StoreError if it could not be done, or too much waits already; the signal's reason if it is aborted before
   */
  add<T>(work: Work<T>, signal: AbortSignal): Promise<T>;
  /** Resolves once nothing waits. */
  drained(): Promise<void>;
}

/** What a queue of commits needs of its store. */
export interface CommitSetting {
  readonly db: DatabaseSync;
  readonly limits: Pick<Limits, 'maxGroupedCommits' | 'maxQueuedSignUps' | 'sqliteBusyTimeoutMs'>;
  readonly now: () => number;
  /** Throws if the file is not the one that was opened. */
  readonly checkFiles: () => void;
  /** Runs at the end of each transaction, which was to decide so much. */
  readonly tidy: (nowMs: number, decided: number) => void;
  readonly committed: () => void;
}

/** Work that waits for the next commit. */
interface Waiting extends Omit<Work<unknown>, 'decide'> {
  readonly signal: AbortSignal;
  readonly sinceMs: number;
  /** Decides; returns what tells the caller once that is committed. */
  readonly decide: (nowMs: number) => () => void;
  readonly reject: (reason: unknown) => void;
}

/** Makes a queue for an open file. */
export function commitQueue(setting: CommitSetting): CommitQueue {
  const { db, limits, now, checkFiles, tidy, committed } = setting;
  const begin = db.prepare('BEGIN IMMEDIATE');
  const commit = db.prepare('COMMIT');
  const rollback = db.prepare('ROLLBACK');
  const queue: Waiting[] = [];
  let committing: Promise<void> | undefined;

  /**
   * Commits as much as may go together. False: another process has the file, and the rest waits on. Where a statement
   * fails, its own caller is told; what it had written before goes with the transaction, and the others begin anew.
   */
  function commitNext(): boolean {
    const group: Waiting[] = [];
    for (const call of queue.splice(0, limits.maxGroupedCommits)) {
      if (call.signal.aborted) call.reject(call.signal.reason);
      else group.push(call);
    }
    if (group.length === 0) return true;
    let answers: (() => void)[];
    let waitOn: Waiting[] = [];
    let deciding: Waiting | undefined;
    try {
      checkFiles();
      begin.run();
      const nowMs = now();
      answers = group.map((call) => {
        deciding = call;
        return call.decide(nowMs);
      });
      deciding = undefined;
      tidy(nowMs, group.length);
      commit.run();
      committed();
    } catch (cause) {
      if (deciding && db.isTransaction) {
        const failed = deciding;
        rollback.run();
        queue.unshift(...group.filter((call) => call !== failed));
        failed.reject(fault(failed.name, cause, failed.isRepeatable));
        return true;
      }
      if (db.isTransaction) rollback.run();
      const failedAtMs = performance.now();
      const mayWait = (call: Waiting) =>
        isBusy(cause) && failedAtMs - call.sinceMs < limits.sqliteBusyTimeoutMs;
      waitOn = group.filter(mayWait);
      answers = group
        .filter((call) => !mayWait(call))
        .map((call) => () => call.reject(fault(call.name, cause, call.isRepeatable)));
    }
    queue.unshift(...waitOn);
    for (const give of answers) give();
    return waitOn.length === 0;
  }

  async function commitAll(): Promise<void> {
    while (queue.length > 0) {
      await nextTurn();
      if (!commitNext()) await delay(busyRetryMs);
    }
    committing = undefined;
  }

  return {
    async add<T>({ name, decide, isRepeatable }: Work<T>, signal: AbortSignal) {
      if (queue.length >= limits.maxQueuedSignUps) {
        throw new StoreError(`${queue.length} writes wait already`, { retrySafe: true, isOverload: true });
      }
      const { promise, resolve, reject } = Promise.withResolvers<T>();
      queue.push({
        name,
        isRepeatable,
        signal,
        sinceMs: performance.now(),
        decide(nowMs) {
          const result = decide(nowMs);
          return () => resolve(result);
        },
        reject,
      });
      committing ??= commitAll();
      return promise;
    },
    drained: async () => committing,
  };
}
