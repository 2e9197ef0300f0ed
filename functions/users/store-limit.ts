import { LatencyLimit } from '../rpc/index.ts';
import type { UsersLimits } from './limits.ts';
import type { UserStore } from './store.ts';
import { type StoreOperation, writes } from './store-watch.ts';

/** What the limit of a store is made of. */
export type StoreLimits = Pick<UsersLimits, 'minStoreCalls' | 'maxStoreCalls' | 'storeSlowAfterMs'>;

/**
 * The same store, for which fewer calls wait when it is slow: the others end with OVERLOADED at once, before the store
 * has heard of them. What reads and what writes is counted apart.
 */
export function limitedStore(store: UserStore, limits: StoreLimits): UserStore {
  if (limits.storeSlowAfterMs === 0) return store;
  const options = {
    minCalls: limits.minStoreCalls,
    maxCalls: limits.maxStoreCalls,
    slowAfterMs: limits.storeSlowAfterMs,
  };
  const [reading, writing] = [new LatencyLimit(options), new LatencyLimit(options)];
  const within = <T>(operation: StoreOperation, call: () => Promise<T>) =>
    (writes.has(operation) ? writing : reading).run(call);
  return {
    system: store.system,
    precheck: (candidate, signal) => within('precheck', () => store.precheck(candidate, signal)),
    signUp: (signUp, signal) => within('signUp', () => store.signUp(signUp, signal)),
    find: (wanted, signal) => within('find', () => store.find(wanted, signal)),
    account: (key, signal) => within('account', () => store.account(key, signal)),
    change: (change, signal) => within('change', () => store.change(change, signal)),
    recall: (requestId, signal) => within('recall', () => store.recall(requestId, signal)),
    remove: (removal, signal) => within('remove', () => store.remove(removal, signal)),
    list: (listing, signal) => within('list', () => store.list(listing, signal)),
    all: (signal) => store.all(signal),
    probe: (signal) => store.probe(signal),
    close: () => store.close(),
  };
}
