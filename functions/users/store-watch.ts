import type { UserStore } from './store.ts';

/** What a store is asked to do. */
export const storeOperations = [
  'precheck',
  'signUp',
  'find',
  'account',
  'change',
  'recall',
  'remove',
  'list',
] as const;

/** One of them. */
export type StoreOperation = (typeof storeOperations)[number];

/** Those that write. */
export const writes: ReadonlySet<StoreOperation> = new Set(['signUp', 'change', 'remove']);

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

  /** No async function: many calls wait at once, and each would keep what it has made. */
  function told<T>(operation: StoreOperation, users: number, call: () => Promise<T>): Promise<T> {
    const sinceMs = now();
    const tell = (error: unknown) => {
      const durationMs = now() - sinceMs;
      for (const observer of observers) observer.ended(operation, durationMs, users, error);
    };
    return call().then(
      (answer) => {
        tell(undefined);
        return answer;
      },
      (error) => {
        tell(error);
        throw error;
      },
    );
  }

  return {
    system: store.system,
    precheck: (candidate, signal) => told('precheck', 1, () => store.precheck(candidate, signal)),
    signUp: (signUp, signal) => told('signUp', 1, () => store.signUp(signUp, signal)),
    find: (wanted, signal) => told('find', wanted.length, () => store.find(wanted, signal)),
    account: (key, signal) => told('account', 1, () => store.account(key, signal)),
    change: (change, signal) => told('change', 1, () => store.change(change, signal)),
    recall: (requestId, signal) => told('recall', 1, () => store.recall(requestId, signal)),
    remove: (removal, signal) => told('remove', 1, () => store.remove(removal, signal)),
    list: (listing, signal) => told('list', listing.maxUsers, () => store.list(listing, signal)),
    all: (signal) => store.all(signal),
    probe: (signal) => store.probe(signal),
    close: () => store.close(),
  };
}
