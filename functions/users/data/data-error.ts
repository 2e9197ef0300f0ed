/** A command can't do what it is asked. The message is one line for the operator, and says what to do. */
export class DataError extends Error {
  override readonly name = 'DataError';
}

/** What an error says, whatever it is. */
export function said(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
