import pino, { type Logger } from 'pino';
import { LogOutput } from './log-output.ts';
import { printable } from './printable.ts';
import { loggedError } from './shown-error.ts';
import { thisWorker } from './worker.ts';

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export const logFormats = ['json', 'lambda', 'pretty'] as const;

/** What is logged, and how. */
export interface LogConfig {
  readonly level: (typeof logLevels)[number];
  readonly format: (typeof logFormats)[number];
}

/**
 * Makes the log on standard output: JSON lines for machines, with the names that AWS Lambda has for level, time and
 * text (`lambda`), or one readable line each (`pretty`), which needs the package pino-pretty and so is for development.
 * Text that would steer a terminal or deceive its reader is escaped in both, whatever it comes from. What waits to be
 * written is written when the process exits. The lines of one of several workers have its number (`worker`).
 *
 * @throws Error when pino-pretty is not installed, with a line that says what to do
 */
export async function createLog(config: LogConfig): Promise<Logger> {
  return (await openLog(config)).log;
}

/** Makes the log, as above, and gives what it writes to, for other lines that go there. */
export async function openLog({ level, format }: LogConfig): Promise<{ log: Logger; output: LogOutput }> {
  const base = thisWorker && { worker: thisWorker.number };
  if (format === 'json') {
    const output = new LogOutput({ format: printableJson, isImmediate: false });
    return { log: pino({ level, base, timestamp, serializers }, output), output };
  }
  if (format === 'lambda') {
    const output = new LogOutput({ format: printableJson, isImmediate: false, names: lambdaNames });
    const { textKey: messageKey, level: nameOf } = lambdaNames;
    const formatters = { level: (_: string, number: number) => ({ level: nameOf(number) }) };
    const options = { level, base, messageKey, formatters, timestamp: lambdaTimestamp, serializers };
    return { log: pino(options, output), output };
  }
  const output = new LogOutput({ format: await prettyFormat(), isImmediate: true });
  return { log: pino({ level, base, serializers }, output), output };
}

/**
 * A line that is JSON is kept as it is, and filtered by these names
 * (https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-advanced.html).
 */
const lambdaNames = {
  timeKey: 'timestamp',
  textKey: 'message',
  level: (number: number) => pino.levels.labels[number]?.toUpperCase() ?? 'INFO',
};

const serializers = { err: loggedError };

/**
 * Nearly every line is ASCII, which pino has escaped where it must be: that is found out for a tenth of a microsecond.
 */
const notAscii = /[^\n\x20-\x7e]/;

/** A JSON line of the same meaning. */
function printableJson(line: string): string {
  return notAscii.test(line) ? `${printable(line.slice(0, -1))}\n` : line;
}

async function prettyFormat(): Promise<(line: string) => string> {
  try {
    const { prettyFactory } = await import('pino-pretty');
    const pretty = prettyFactory({
      translateTime: 'HH:MM:ss.l',
      ignore: 'pid,hostname',
      singleLine: true,
    });
    return (line) => {
      // Before it adds its own colours and newlines, which are not to be escaped.
      const { caller, ...fields } = JSON.parse(line, printableValue);
      // pino-pretty would show `caller` as text of its own, in which a caller's name could look like another entry.
      return pretty(caller === undefined ? fields : { ...fields, calledBy: caller });
    };
  } catch (error) {
    throw new Error('LOG_FORMAT=pretty needs the package pino-pretty; use LOG_FORMAT=json here', {
      cause: error,
    });
  }
}

/** A reviver. Stacks keep their lines, which pino-pretty indents, so that none passes for a line of the log. */
function printableValue(key: string, value: unknown): unknown {
  if (typeof value === 'string') {
    return key === 'stack' ? value.split('\n').map(printable).join('\n') : printable(value);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [printable(name), one]));
}

let formattedMs = 0;
let formatted = '';

/** The same by the name that AWS Lambda has for it. */
function lambdaTimestamp(): string {
  return timestamp().replace('"time"', '"timestamp"');
}

/** As pino's `isoTime`, but the lines of one millisecond share the work. */
function timestamp(): string {
  const nowMs = Date.now();
  if (nowMs !== formattedMs) {
    formattedMs = nowMs;
    formatted = `,"time":"${new Date(nowMs).toISOString()}"`;
  }
  return formatted;
}
