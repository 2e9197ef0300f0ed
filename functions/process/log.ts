import pino, { type Logger } from 'pino';

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export const logFormats = ['json', 'pretty'] as const;

/** What is logged, and how. */
export interface LogConfig {
  readonly level: (typeof logLevels)[number];
  readonly format: (typeof logFormats)[number];
}

/** Lines wait for others this long at most: a write for each is a system call for each, and every write delays calls. */
const flushIntervalMs = 250;
const bufferCharacters = 1024 * 1024;
/** What waits for a reader that has stopped reading; further lines are dropped. */
const maxWaitingBytes = 8 * 1024 * 1024;

/**
 * Makes the log: JSON lines for machines, or one readable line each (`pretty`), which needs the package
 * pino-pretty and so is for development. What is buffered is written when the process exits.
 *
 * @throws Error when pino-pretty is not installed, with a line that says what to do
 */
export async function createLog({ level, format }: LogConfig): Promise<Logger> {
  if (format === 'pretty') return pino({ level }, await prettyStream());
  return pino({ level, base: undefined, timestamp }, bufferedOutput());
}

/**
 * Standard output, written in large portions. (pino's own destination measures all that waits anew with every line,
 * which takes longer than making the line.) The service goes on when nobody reads it, or it can't be written.
 */
function bufferedOutput(): { write(line: string): void } {
  let waiting = '';
  let isBroken = false;
  const flush = () => {
    if (waiting === '') return;
    const text = waiting;
    waiting = '';
    if (!isBroken && process.stdout.writableLength < maxWaitingBytes) process.stdout.write(text);
  };
  // Its reader is gone, or the disk is full: there is nobody left to be told.
  process.stdout.on('error', () => {
    isBroken = true;
  });
  setInterval(flush, flushIntervalMs).unref();
  process.on('exit', flush);
  return {
    write(line) {
      waiting += line;
      if (waiting.length >= bufferCharacters) flush();
    },
  };
}

async function prettyStream() {
  try {
    const { default: pretty } = await import('pino-pretty');
    return pretty({ translateTime: 'HH:MM:ss.l', ignore: 'pid,hostname', singleLine: true, sync: true });
  } catch (error) {
    throw new Error('LOG_FORMAT=pretty needs the package pino-pretty; use LOG_FORMAT=json here', {
      cause: error,
    });
  }
}

let formattedMs = 0;
let formatted = '';

/** As pino's `isoTime`, but the lines of one millisecond share the work. */
function timestamp(): string {
  const nowMs = Date.now();
  if (nowMs !== formattedMs) {
    formattedMs = nowMs;
    formatted = `,"time":"${new Date(nowMs).toISOString()}"`;
  }
  return formatted;
}
