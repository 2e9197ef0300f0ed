import { LatencyLimit } from '../rpc/index.ts';
import type { UsersLimits } from './limits.ts';
import type { UserStore } from './store.ts';

/** What the limit of a store is made of. */
export type StoreLimits = Pick<UsersLimits, 'minStoreCalls' | 'maxStoreCalls' | 'storeSlowAfterMs'>;

/**
 * The same store, for which fewer calls wait when it is slow: the others end with OVERLOADED at once, before the store
 * has heard of them. Reads, pages and writes are counted apart, as they take their own times.
 */
export function limitedStore(store: UserStore, limits: StoreLimits): UserStore {
  if (limits.storeSlowAfterMs === 0) return store;
  const options = {
    minCalls: limits.minStoreCalls,
    maxCalls: limits.maxStoreCalls,
    slowAfterMs: limits.storeSlowAfterMs,
  };
  const [reads, pages, changes] = [
    new LatencyLimit(options),
    new LatencyLimit(options),
    new LatencyLimit(options),
  ];
  return {
    system: store.system,
    precheck: (candidate, signal) => reads.run(() => store.precheck(candidate, signal), signal),
    find: (wanted, signal) => reads.run(() => store.find(wanted, signal), signal),
    account: (key, signal) => reads.run(() => store.account(key, signal), signal),
    recall: (requestId, signal) => reads.run(() => store.recall(requestId, signal), signal),
    list: (listing, signal) => pages.run(() => store.list(listing, signal), signal),
    signUp: (signUp, signal) => changes.run(() => store.signUp(signUp, signal), signal),
    change: (change, signal) => changes.run(() => store.change(change, signal), signal),
    remove: (removal, signal) => changes.run(() => store.remove(removal, signal), signal),
    all: (signal) => store.all(signal),
    probe: (signal) => store.probe(signal),
    close: () => store.close(),
  };
}
