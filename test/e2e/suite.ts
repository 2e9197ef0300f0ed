import { after, before, describe } from 'node:test';
import { proveAccounts } from './accounts.ts';
import { proveCalls } from './calls.ts';
import { proveDeadlines } from './deadlines.ts';
import { proveDiscovery } from './discovery.ts';
import { anywhere, type Home, testsAt } from './home.ts';
import { proveMetadata } from './metadata.ts';
import { proveStreaming } from './streaming.ts';
import { open, removeMade, type Target } from './target.ts';

/**
 * The end-to-end suite: what any client can see of the service, through whatever stands between. It knows nothing of
 * the server's inside, and removes the users that it makes.
 *
 * @param home where it runs: what that can't do is proven to fail
 */
export function endToEnd(name: string, start: () => Target | Promise<Target>, home: Home = anywhere): void {
  describe(name, () => {
    testsAt(home);
    let running: Target;
    const target = () => running;
    before(async () => {
      running = await start();
      using client = open(running);
      await client.ready();
    });
    // Also where a test has failed.
    after(async () => {
      try {
        if (running !== undefined) await removeMade(running);
      } finally {
        await running?.[Symbol.asyncDispose]();
      }
    });
    describe('calls', () => proveCalls(target));
    describe('accounts', () => proveAccounts(target));
    describe('deadlines', () => proveDeadlines(target));
    describe('metadata', () => proveMetadata(target));
    describe('streaming', () => proveStreaming(target));
    describe('health, reflection', () => proveDiscovery(target));
  });
}
