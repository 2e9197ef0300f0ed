import { defaults } from '../defaults.ts';
import { UsageError } from './options.ts';

/**
 * Reads a password: one line of UTF-8, whose end is not part of it.
 *
 * @throws UsageError for all else
 */
export async function readPassword(input: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of input) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > defaults.maxPasswordInputBytes) {
      throw refused(`is longer than ${defaults.maxPasswordInputBytes} bytes`);
    }
  }
  const password = decoded(Buffer.concat(chunks)).replace(/\r?\n$/, '');
  if (password === '') throw refused('is empty');
  if (/[\r\n]/.test(password)) throw refused('has more than one line');
  return password;
}

function decoded(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw refused('is not UTF-8');
  }
}

function refused(problem: string): UsageError {
  return new UsageError(`--password-stdin: the standard input ${problem}; write the password in one line`);
}
