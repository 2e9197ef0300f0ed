/** What SQLite answers when another process has the lock. */
const busyCode = 5;

/** Whether a statement failed because another process has the file: another try may succeed. */
export function isBusy(error: unknown): boolean {
  return primaryCode(error) === busyCode;
}

/**
 * The code of an error of SQLite, without what extends it (https://sqlite.org/rescode.html); of another, `undefined`.
 */
export function primaryCode(error: unknown): number | undefined {
  const code = error instanceof Error && 'errcode' in error ? error.errcode : undefined;
  return typeof code === 'number' ? code & 0xff : undefined;
}
