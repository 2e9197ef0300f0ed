import type { Change } from '../../functions/users/store.ts';
import { memoryStore } from '../../functions/users/stores/memory.ts';
import { storeWith } from './serving.ts';

/** A store in memory that tells which changes it gets. */
export function recordingStore() {
  const store = memoryStore();
  const changes: Change[] = [];
  return {
    changes,
    store: storeWith({
      ...store,
      change(change, signal) {
        changes.push(change);
        return store.change(change, signal);
      },
    }),
  };
}
