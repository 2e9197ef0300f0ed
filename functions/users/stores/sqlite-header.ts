import { closeSync, openSync, readSync } from 'node:fs';

/** https://sqlite.org/fileformat2.html#the_database_header */
export const headerBytes = 100;
const magic = Buffer.from('SQLite format 3\0');
const readVersionAt = 19;
const withLog = 2;
const applicationIdAt = 68;

/** What the beginning of a file says of it. */
export interface SqliteHeader {
  readonly isSqlite: boolean;
  /**
   * It is complete only together with its log: a server has it open, or it is a plain copy of one that a server had.
   */
  readonly needsLog: boolean;
  /** What PRAGMA application_id says. */
  readonly applicationId: number;
}

/**
 * Reads the beginning of a file, which this process must not have open: to close a file lets go of all locks that a
 * process has on it (https://sqlite.org/howtocorrupt.html, section 2.2).
 *
 * @throws what the system says of a file that can't be read
 */
export function readHeader(path: string): SqliteHeader {
  const header = Buffer.alloc(headerBytes);
  const descriptor = openSync(path, 'r');
  try {
    readSync(descriptor, header, 0, headerBytes, 0);
  } finally {
    closeSync(descriptor);
  }
  const isSqlite = header.subarray(0, magic.length).equals(magic);
  const needsLog = isSqlite && header[readVersionAt] === withLog;
  return { isSqlite, needsLog, applicationId: header.readUInt32BE(applicationIdAt) };
}
