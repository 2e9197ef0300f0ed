/** Users that are read with one statement: what one chunk of GetUsers has. */
const usersPerStatement = 100;
/**
 * Users that are read in one turn of the event loop: a tenth of a millisecond of work, or, of a file of hundreds of
 * megabytes, half of one.
 */
const usersPerTurn = 100;

/** Shares the event loop among reads: SQLite holds it, so health checks and small calls come between them. */
export interface ReadTurns {
  /**
   * Asks for many things, some at a time, in their order. Readers take turns, in the order in which they came. Who asks
   * for less than a statement's worth does not wait.
   *
   * @throws what `read` throws
   */
  inParts<T, Result>(
    asked: readonly T[],
    read: (part: readonly T[]) => Promise<readonly Result[]>,
  ): Promise<readonly Result[]>;
}

/** A read that waits for its turn. */
interface Waiting {
  readonly users: number;
  readonly go: () => void;
}

/** Makes turns for the readers of one file. */
export function readTurns(): ReadTurns {
  const waiting: Waiting[] = [];
  let left = usersPerTurn;
  let isNextDue = false;

  function take(users: number): void {
    left -= users;
    if (isNextDue) return;
    isNextDue = true;
    setImmediate(begin);
  }

  function begin(): void {
    left = usersPerTurn;
    isNextDue = false;
    for (let next = waiting[0]; next !== undefined && left > 0; next = waiting[0]) {
      waiting.shift();
      take(next.users);
      next.go();
    }
  }

  /** Nothing to wait for, most of the time: then nothing is made. */
  function turn(users: number): Promise<void> | undefined {
    if (left <= 0 || waiting.length > 0) return new Promise((go) => waiting.push({ users, go }));
    take(users);
    return undefined;
  }

  return {
    async inParts(asked, read) {
      // Such a read is the smaller part of its call. If more came than is done, they would wait here, where admission
      // sees nothing, since the loop's turns stay short: nearly all would be answered too late.
      if (asked.length < usersPerStatement) return read(asked);
      const parts = [];
      for (let at = 0; at < asked.length; at += usersPerStatement) {
        const part = asked.slice(at, at + usersPerStatement);
        await turn(part.length);
        parts.push(await read(part));
      }
      return parts.flat();
    },
  };
}
