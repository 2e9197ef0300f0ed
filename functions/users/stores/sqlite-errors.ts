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
