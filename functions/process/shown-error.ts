/** A frame of a stack, as V8 writes it. */
const frame = /^ {4}at (?:.+ \()?(?:file:|node:|\/|[A-Za-z]:\\|<anonymous>).*\)?$/;

/**
 * Describes an error that nobody has caught: its type, and where it came from. Its message and its other properties may
 * hold what a client has sent, such as a key or a password, and are left out.
 */
export function describeCrash(error: unknown): string {
  if (!(error instanceof Error)) return `a ${typeof error} was thrown, and nobody has caught it`;
  const { message, stack = '' } = error;
  // A line of the message may look like a frame.
  const behind = message === '' ? 0 : stack.indexOf(message) + message.length;
  const frames = stack
    .slice(behind)
    .split('\n')
    .filter((line) => frame.test(line));
  const head = `${error.constructor.name}, which nobody has caught; what it says may hold a secret, and is not shown`;
  return [head, ...frames].join('\n');
}

/** An error may be the cause of its own cause. */
const maxCauses = 8;

/**
 * What the log shows of an error: type, message, code, stack and cause. Other properties may hold requests, answers or
 * rows of a store.
 */
export function loggedError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return error;
  const code = 'code' in error ? error.code : undefined;
  return {
    type: error.constructor.name,
    message: error.message,
    code: typeof code === 'string' || typeof code === 'number' ? code : undefined,
    stack: error.stack,
    cause: error.cause === undefined || depth === maxCauses ? undefined : loggedError(error.cause, depth + 1),
  };
}
