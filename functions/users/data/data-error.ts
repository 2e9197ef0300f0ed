/** A command can't do what it is asked. The message is one line for the operator, and says what to do. */
export class DataError extends Error {
  override readonly name = 'DataError';
}

/** What an error says, whatever it is. */
export function said(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * What the system says without the path, which may be that of a file for a moment: `ENOSPC: no space left on device`.
 */
export function reasonOf(error: unknown): string {
  if (isSystemError(error) && error.code === 'EISDIR') return 'it is a folder';
  return isSystemError(error) ? said(error).replace(/, \w+( '.*)?$/s, '') : said(error);
}

/** Whether the system says it, of a file or a disk. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}
