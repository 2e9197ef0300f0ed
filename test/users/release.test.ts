// GetUsers keeps nothing of what it has answered: while a client takes the rest, however slowly, the users that were
// asked for before can be freed, though the request itself is still held. Shown by the garbage collector.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { create } from '@bufbuild/protobuf';
import { GetUsersRequestSchema } from '../../proto/gen/users_types_pb.js';
import { contextOf, limitsWith, storeWith, usersService } from './serving.ts';

// A context that is made after the flag is set has the collector; node need not be started with the flag.
setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

/** Collects until so few of them are left, or a hundred times. Returns how many are left. */
async function leftOf(references: readonly WeakRef<object>[], few: number): Promise<number> {
  let left = references.length;
  for (let tries = 0; tries < 100 && left > few; tries += 1) {
    await nextTurn(); // what is reached through a WeakRef lives until the end of the turn
    collect();
    left = references.filter((it) => it.deref() !== undefined).length;
  }
  return left;
}

describe('GetUsers frees what it has answered', () => {
  for (const [name, count, readChunkUsers] of [
    ['in one chunk', 100, 100],
    ['in many', 100, 10],
  ] as const) {
    for (const found of [true, false]) {
      it(`${name}, users that are ${found ? 'found' : 'missing'}`, async () => {
        const store = storeWith({
          find: async (wanted) =>
            wanted.map(({ userId }) => (found ? { username: 'ann', userId } : undefined)),
        });
        const service = usersService({ store, limits: limitsWith({ readChunkUsers }) });
        const request = create(GetUsersRequestSchema, {
          user: Array.from({ length: count }, (_, i) => ({ userId: i + 1 })),
        });
        const asked = request.user.map((user) => new WeakRef(user));
        const stream = service.getUsers(request, contextOf('getUsers'))[Symbol.asyncIterator]();
        for (let taken = 1; taken <= 75; taken += 1) await stream.next();
        // The last one may still be in the hands of the generator.
        assert.ok((await leftOf(asked.slice(0, 75), 1)) <= 1);
        assert.ok(
          asked.slice(75).every((it) => it.deref()),
          'the others are still there',
        );
        for (let taken = 76; taken <= count; taken += 1) assert.equal((await stream.next()).done, false);
        assert.equal((await stream.next()).done, true);
        assert.equal(await leftOf(asked, 0), 0);
        assert.ok(request);
      });
    }
  }
});
