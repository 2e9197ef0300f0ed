import { spawn } from 'node:child_process';

/** A row as node:sqlite returns it. */
export type Row = Readonly<Record<string, unknown>>;

/** A statement, and its values. */
export type Statement = readonly [sql: string, ...values: string[]];

/** Text, so that it needs no file of its own in a bundle. */
const code = `
  process.once('message', ({ path, statements }) => {
    const { DatabaseSync } = require('node:sqlite');
    let answer;
    try {
      const db = new DatabaseSync(path, { readOnly: true, timeout: 5_000 });
      answer = { rows: statements.map(([sql, ...values]) => db.prepare(sql).all(...values)) };
      db.close();
    } catch (error) {
      answer = { problem: error.message };
    }
    process.send(answer, () => process.disconnect());
  });
`;

/** What the other process says. */
type Answer = { readonly rows: readonly (readonly Row[])[] } | { readonly problem: string };

/**
 * Runs statements on a file in a process of its own: a statement may take minutes, or for ever in a hostile file, and
 * nothing else stops one. This process shows progress and takes signals meanwhile. If it is killed, the other one ends
 * with its statement.
 *
 * @returns the rows of each statement
 * @throws Error with what SQLite says; the signal's reason when it is aborted, and then the statement has ended
 */
export async function inProcess(
  path: string,
  statements: readonly Statement[],
  signal: AbortSignal,
): Promise<readonly (readonly Row[])[]> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  // In a group of its own: what a terminal interrupts is this process, which then says so.
  const child = spawn(process.execPath, ['-e', code], {
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  const kill = () => child.kill('SIGKILL');
  child.once('error', reject);
  child.once('message', (answer: Answer) => resolve(answer)); // it is our own code that sends it
  child.once('exit', (exitCode, name) => {
    const ended = () =>
      reject(signal.aborted ? signal.reason : new Error(`its process ended (${name ?? exitCode})`));
    // On a busy machine its end is known before its answer is read, which comes before the end of the channel.
    if (child.connected) child.once('disconnect', ended);
    else ended();
  });
  signal.addEventListener('abort', kill, { once: true });
  try {
    child.send({ path, statements });
    const answer = await promise;
    if ('problem' in answer) throw new Error(answer.problem);
    return answer.rows;
  } finally {
    signal.removeEventListener('abort', kill);
  }
}
