import { after, before, describe } from 'node:test';
import { proveCalls } from './calls.ts';
import { proveDeadlines } from './deadlines.ts';
import { proveDiscovery } from './discovery.ts';
import { proveMetadata } from './metadata.ts';
import { proveStreaming } from './streaming.ts';
import { open, type Target } from './target.ts';

/**
 * The end-to-end suite: what any client can see of the service, through whatever stands between. It knows nothing of
 * the server's inside, and leaves nothing behind but users with names of their own.
 */
export function endToEnd(name: string, start: () => Target | Promise<Target>): void {
  describe(name, () => {
    let running: Target;
    const target = () => running;
    before(async () => {
      running = await start();
      using client = open(running);
      await client.ready();
    });
    after(() => running?.[Symbol.asyncDispose]());
    describe('calls', () => proveCalls(target));
    describe('deadlines', () => proveDeadlines(target));
    describe('metadata', () => proveMetadata(target));
    describe('streaming', () => proveStreaming(target));
    describe('health, reflection', () => proveDiscovery(target));
  });
}
