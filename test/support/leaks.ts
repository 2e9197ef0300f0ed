import assert from 'node:assert/strict';
import { eventually } from './patience.ts';

/** What keeps the process alive, by kind: how many sockets, servers and timers. */
type Resources = ReadonlyMap<string, number>;

/**
 * Counts the sockets, servers and timers of the process. The function that it returns waits until there are no more
 * than now, and fails if some are left.
 */
export function watchLeaks(): () => Promise<void> {
  const before = resources();
  return async () => {
    const left = () => [...resources()].filter(([kind, count]) => count > (before.get(kind) ?? 0));
    assert.ok(await eventually(() => left().length === 0), `left open: ${JSON.stringify(left())}`);
  };
}

function resources(): Resources {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) {
    if (/TCP|TLS|HTTP|Timeout/.test(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}
