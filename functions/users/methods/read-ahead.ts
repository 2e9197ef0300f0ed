import { create } from '@bufbuild/protobuf';
import type { HandlerContext } from '@connectrpc/connect';
import { type User, UserSchema } from '../../../proto/gen/users_types_pb.js';
import type { Limits } from '../../limits.ts';
import type { StoredUser, UserStore, Wanted } from '../store.ts';
import { callStore, storeSpan } from '../store-call.ts';
import { isUsername } from '../validation.ts';

/** Users that were asked for, and what the store has for each, at the same place. The consumer releases the users. */
export interface Chunk {
  readonly asked: User[];
  readonly found: readonly (StoredUser | undefined)[];
}

/** What reading needs of the service. */
export interface ReadOptions {
  readonly store: UserStore;
  readonly limits: Limits;
  /** The call that it serves. */
  readonly context: Pick<HandlerContext, 'signal' | 'values'>;
}

/**
 * Stands in a request for a user that has been handed on. A client that reads slowly holds its request for long; what
 * has been answered of it need not stay in memory.
 */
export const released: User = create(UserSchema);

/** No user has the id zero. */
const nobody: Wanted = { username: '', userId: 0 };

/** Reads at most `readChunkUsers` users from the store. Throws as `callStore` does. */
export function readChunk(asked: User[], { store, limits, context }: ReadOptions): Promise<Chunk> {
  const wanted = asked.map(lookup);
  const found = callStore((within) => store.find(wanted, within), {
    context,
    limits,
    retrySafe: true,
    span: storeSpan(context, store, 'find', wanted.length),
  });
  return found.then((users) => ({ asked, found: users }));
}

/**
 * Reads users from the store, chunk by chunk in their order. It reads the first chunk alone, so that the first answer
 * leaves early, and then up to `readAheadChunks` chunks beyond the one that is being consumed. A consumer that returns
 * early cancels what is being read. The users are released as their chunks are read.
 *
 * @throws as `callStore` does
 */
export async function* readAhead(
  users: User[],
  { store, limits, context: { signal, values } }: ReadOptions,
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
      // It is awaited in its turn, which may never come: until then nobody else handles its failure.
      read.catch(() => {});
      reads.push(read);
    }
  };
  const readNext = async (asked: User[]) => {
    stopped.signal.throwIfAborted();
    return readChunk(asked, { store, limits, context: { signal: stopped.signal, values } });
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

/** An invalid name cannot exist, so it never reaches the store. */
function lookup(user: User): Wanted {
  return user.username === '' || isUsername(user.username) ? user : nobody;
}
