import type { UserStore } from './store.ts';

/** What a store is asked to do. */
export type StoreOperation = 'precheck' | 'signUp' | 'find';

/** Is told of each call of a store when it ends. It must not throw, and must be quick: it runs within each call. */
export interface StoreObserver {
  /**
   * Whether it wants to know how long calls take. Two readings of the clock cost more than all else that is done here.
   */
  readonly wantsDuration: boolean;
  /**
   * @param durationMs NaN unless some observer wants it
   * @param users how many the call was for
   * @param error what it threw; `undefined` if it answered
   */
  ended(operation: StoreOperation, durationMs: number, users: number, error: unknown): void;
}

/** The same store, with somebody who watches its calls. */
export function watchedStore(store: UserStore, observers: readonly StoreObserver[]): UserStore {
  const now = observers.some((it) => it.wantsDuration) ? () => performance.now() : () => Number.NaN;

  async function told<T>(operation: StoreOperation, users: number, call: () => Promise<T>): Promise<T> {
    const sinceMs = now();
    let error: unknown;
    try {
      return await call();
    } catch (thrown) {
      error = thrown;
      throw thrown;
    } finally {
      const durationMs = now() - sinceMs;
      for (const observer of observers) observer.ended(operation, durationMs, users, error);
    }
  }

  return {
    system: store.system,
    precheck: (candidate, signal) => told('precheck', 1, () => store.precheck(candidate, signal)),
    signUp: (signUp, signal) => told('signUp', 1, () => store.signUp(signUp, signal)),
    find: (wanted, signal) => told('find', wanted.length, () => store.find(wanted, signal)),
    probe: (signal) => store.probe(signal),
    close: () => store.close(),
  };
}
