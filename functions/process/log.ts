import pino, { type Logger } from 'pino';
import { LogOutput } from './log-output.ts';

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export const logFormats = ['json', 'pretty'] as const;

/** What is logged, and how. */
export interface LogConfig {
  readonly level: (typeof logLevels)[number];
  readonly format: (typeof logFormats)[number];
}

/**
 * Makes the log on standard output: JSON lines for machines, or one readable line each (`pretty`), which needs the package
 * pino-pretty and so is for development. What waits to be written is written when the process exits.
 *
 * @throws Error when pino-pretty is not installed, with a line that says what to do
 */
export async function createLog({ level, format }: LogConfig): Promise<Logger> {
  if (format === 'json') {
    const output = new LogOutput({ format: (line) => line, isImmediate: false });
    return pino({ level, base: undefined, timestamp }, output);
  }
  const output = new LogOutput({ format: await prettyFormat(), isImmediate: true });
  return pino({ level }, output);
}

async function prettyFormat(): Promise<(line: string) => string> {
  try {
    const { prettyFactory } = await import('pino-pretty');
    const pretty = prettyFactory({
      translateTime: 'HH:MM:ss.l',
      ignore: 'pid,hostname',
      singleLine: true,
    });
    return (line) => pretty(line);
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
