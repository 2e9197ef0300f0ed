import { Code } from '@connectrpc/connect';
import { isOverload } from '../errors.ts';
import { callLine, type MetadataDetail } from './call-line.ts';
import type { CallObserver, CallRecord } from './call-record.ts';
import { RefusedLines } from './refused-lines.ts';
import { isFault } from './status.ts';

/** Where log lines go; pino's loggers fit. */
export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

const refusals: ReadonlySet<number> = new Set([
  Code.Unauthenticated,
  Code.PermissionDenied,
  Code.ResourceExhausted,
]);

/** Whether a status is one of calls that cost their client nothing: no credential, no scope, no quota. */
export function isRefusal(status: number): boolean {
  return refusals.has(status);
}

/** A call whose line is not written yet, and its status. */
type EndedCall = [call: CallRecord, status: number];

/** What the log of calls shows. */
export interface AccessLogOptions {
  readonly metadata: MetadataDetail;
  /**
   * Calls each second that have a line although they were refused, or nobody is known to make them. Those of known
   * callers are counted apart: a flood of strangers does not hide what a key is used for.
   */
  readonly maxRefusedLinesPerSecond: number;
  /** Whether callers have to say who they are. */
  readonly knowsCallers: boolean;
}

/** Writes one line for each call, and two each second at most for those that are beyond `maxRefusedLinesPerSecond`. */
export function createAccessLog(log: Log, options: AccessLogOptions): CallObserver {
  const { maxRefusedLinesPerSecond, knowsCallers } = options;
  const message = 'more calls were refused';
  const ofStrangers = new RefusedLines(maxRefusedLinesPerSecond, ({ calls, codes }) =>
    log.warn({ callers: 'unknown', calls, codes }, message),
  );
  const ofKnown = new RefusedLines(maxRefusedLinesPerSecond, (untold) =>
    log.warn({ callers: 'known', ...untold }, message),
  );
  const hasLine = ({ caller, error }: CallRecord, status: number) => {
    if (isFault(error)) return true;
    // Nothing meters those of nobody, whatever their status.
    const isMetered = !isRefusal(status) && !isOverload(error) && (caller !== undefined || !knowsCallers);
    return isMetered || (caller === undefined ? ofStrangers : ofKnown).admits(status, caller?.id);
  };
  const write = ([call, status]: EndedCall) => {
    const { level, fields } = callLine(call, status, options.metadata);
    log[level](fields, 'call');
  };
  let ended: EndedCall[] = [];
  const writeAll = () => {
    const calls = ended;
    ended = [];
    calls.forEach(write);
  };
  return {
    ended(call, status) {
      if (!hasLine(call, status)) return;
      // After the response: node hands it to the kernel when this turn of the event loop is over.
      if (ended.length === 0) setImmediate(writeAll);
      ended.push([call, status]);
    },
    shed: (_path, _protocol, { code }, calls) => ofStrangers.count(code, calls),
  };
}
