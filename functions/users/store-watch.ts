import type { UserStore } from './store.ts';

/** What a store is asked to do. */
export type StoreOperation = 'precheck' | 'signUp' | 'find';

/** Is told of each call of a store when it ends. It must not throw, and must be quick: it runs within each call. */
export interface StoreObserver {
  /**
   * @param users how many the call was for
   * @param error what it threw; `undefined` if it answered
   */
  ended(operation: StoreOperation, durationMs: number, users: number, error: unknown): void;
}

/** The same store, with somebody who watches its calls. */
export function watchedStore(store: UserStore, observers: readonly StoreObserver[]): UserStore {
  function told<T>(operation: StoreOperation, users: number, sinceMs: number, call: Promise<T>): Promise<T> {
    const tell = (error: unknown) => {
      const durationMs = performance.now() - sinceMs;
      for (const observer of observers) observer.ended(operation, durationMs, users, error);
    };
    return call.then(
      (answer) => {
        tell(undefined);
        return answer;
      },
      (thrown) => {
        tell(thrown);
        throw thrown;
      },
    );
  }

  return {
    system: store.system,
    precheck: (candidate, signal) =>
      told('precheck', 1, performance.now(), store.precheck(candidate, signal)),
    signUp: (signUp, signal) => told('signUp', 1, performance.now(), store.signUp(signUp, signal)),
    find: (wanted, signal) => told('find', wanted.length, performance.now(), store.find(wanted, signal)),
    probe: (signal) => store.probe(signal),
    close: () => store.close(),
  };
}
