import { create } from '@bufbuild/protobuf';
import { type User, UserSchema } from '../../proto/gen/users_types_pb.js';
import type { Limits } from '../limits.ts';
import type { StoredUser, UserStore, Wanted } from './store.ts';
import { callStore } from './store-call.ts';
import { isUsername } from './validation.ts';

/** Users that were asked for, which are the consumer's to release, and what the store has for each, at the same place. */
export interface Chunk {
  readonly asked: User[];
  readonly found: readonly (StoredUser | undefined)[];
}

/** What reading needs of the service. */
export interface ReadOptions {
  readonly store: UserStore;
  readonly limits: Limits;
  /** The call that it serves. */
  readonly context: { readonly signal: AbortSignal };
}

/**
 * Takes the place of a user that was asked for, once it is in better hands: a client that reads slowly holds its request
 * for long, and what is answered need not stay.
 */
export const released: User = create(UserSchema);

/** No user has the id zero. */
const nobody: Wanted = { username: '', userId: 0 };

/** Reads at most `readChunkUsers` users from the store. Throws as `callStore` does. */
export async function readChunk(asked: User[], { store, limits, context }: ReadOptions): Promise<Chunk> {
  const wanted = asked.map(lookup);
  const found = await callStore((within) => store.find(wanted, within), {
    context,
    limits,
    retrySafe: true,
  });
  return { asked, found };
}

/**
 * Reads users from the store, chunk by chunk in their order. The first chunk is read alone, so that the first
 * answer leaves early; from then on, up to `readAheadChunks` chunks beyond the one that is being consumed.
 * Nothing is read that the consumer's pace does not call for, and returning early cancels what is being read. The users
 * are released as their chunks are read.
 *
 * @throws as `callStore` does
 */
export async function* readAhead(
  users: User[],
  { store, limits, context: { signal } }: ReadOptions,
): AsyncGenerator<Chunk, void, undefined> {
  const stopped = new AbortController();
  const stop = () => stopped.abort(signal.reason);
  const reads: Promise<Chunk>[] = [];
  let next = 0;
  const readUpTo = (count: number) => {
    for (; reads.length < count && next < users.length; next += limits.readChunkUsers) {
      const end = next + limits.readChunkUsers;
      const read = readNext(users.slice(next, end));
      users.fill(released, next, end);
      // It is awaited in its turn. Until then, or if its turn never comes, its failure is nobody's to handle.
      read.catch(() => {});
      reads.push(read);
    }
  };
  const readNext = async (asked: User[]) => {
    stopped.signal.throwIfAborted();
    return readChunk(asked, { store, limits, context: stopped });
  };
  signal.throwIfAborted();
  signal.addEventListener('abort', stop);
  try {
    readUpTo(1);
    for (let read = reads.shift(); read !== undefined; read = reads.shift()) {
      const chunk = await read;
      readUpTo(limits.readAheadChunks);
      yield chunk;
      readUpTo(1);
    }
  } finally {
    signal.removeEventListener('abort', stop);
    stopped.abort();
  }
}

/** Whom nobody can be is not looked for: a store need not cope with names of any length and alphabet. */
function lookup(user: User): Wanted {
  return user.username === '' || isUsername(user.username) ? user : nobody;
}
