import { StoreError } from '../store.ts';

/** What SQLite answers when another process has the lock. */
const busyCode = 5;

/** Whether a statement failed because another process has the file: another try may succeed. */
export function isBusy(error: unknown): boolean {
  return primaryCode(error) === busyCode;
}

const fullCode = 13;
/** The index of the log beside the file could not grow: what the system said of it SQLite does not tell. */
const noIndexCode = 4874;
const fullSystemCodes: readonly unknown[] = ['ENOSPC', 'EDQUOT'];

/** Whether something failed, of SQLite or of the file system, because the disk has no room, or a quota leaves none. */
export function isFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const isIndex = 'errcode' in error && error.errcode === noIndexCode;
  const isOfSystem = 'code' in error && fullSystemCodes.includes(error.code);
  return isIndex || isOfSystem || primaryCode(error) === fullCode;
}

/**
 * The code of an error of SQLite, without what extends it (https://sqlite.org/rescode.html); of another, `undefined`.
 */
export function primaryCode(error: unknown): number | undefined {
  const code = error instanceof Error && 'errcode' in error ? error.errcode : undefined;
  return typeof code === 'number' ? code & 0xff : undefined;
}

/**
 * BUSY, LOCKED and FULL (https://sqlite.org/rescode.html) are found before anything is committed. After other errors
 * the outcome may be unknown until the next start, so only what is repeatable may be repeated.
 */
const nothingWritten: ReadonlySet<number | undefined> = new Set([5, 6, 13]);

/** Makes the error of a store that could not do something, as in "read users". */
export function fault(what: string, cause: unknown, isRepeatable: boolean): StoreError {
  if (cause instanceof StoreError) return cause;
  const retrySafe = isRepeatable || nothingWritten.has(primaryCode(cause));
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new StoreError(`SQLite could not ${what}: ${reason}`, { retrySafe, cause });
}
