import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { StoreEvents, StoreSystem } from '../store.ts';
import { isThrottle } from './dynamodb-faults.ts';

/**
 * Tells of each request that the SDK sends again by itself, and of each that is throttled: its callers see the last
 * alone.
 */
export function watchAttempts(client: DynamoDBClient, system: StoreSystem, events: StoreEvents): void {
  client.middlewareStack.add(
    (next) => {
      let attempts = 0;
      return async (request) => {
        attempts += 1;
        if (attempts > 1) events.retried(system);
        try {
          return await next(request);
        } catch (error) {
          if (isThrottle(error)) events.throttled(system);
          throw error;
        }
      };
    },
    // Within the SDK's retries, which come first in this step.
    { name: 'watchAttempts', step: 'finalizeRequest', priority: 'low' },
  );
}
