import type { StoreSystem, UserStore } from '../store.ts';

/**
 * A store that is loaded and opened when something is first asked of it: for a process that is started because a call
 * waits for it, and that may have been started for a call that needs no store.
 *
 * @param open is called once. If it fails, so does every call
 */
export function lateStore(system: StoreSystem, open: () => Promise<UserStore>): UserStore {
  let opened: Promise<UserStore> | undefined;
  const store = () => (opened ??= open());
  return {
    system,
    precheck: async (candidate, signal) => (await store()).precheck(candidate, signal),
    find: async (wanted, signal) => (await store()).find(wanted, signal),
    account: async (key, signal) => (await store()).account(key, signal),
    recall: async (requestId, signal) => (await store()).recall(requestId, signal),
    list: async (listing, signal) => (await store()).list(listing, signal),
    signUp: async (signUp, signal) => (await store()).signUp(signUp, signal),
    change: async (change, signal) => (await store()).change(change, signal),
    remove: async (removal, signal) => (await store()).remove(removal, signal),
    async *all(signal) {
      yield* (await store()).all(signal);
    },
    probe: async (signal) => (await store()).probe(signal),
    close: async () => (await opened)?.close(),
  };
}
