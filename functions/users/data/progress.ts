/** How often a command that takes long says how far it is. */
const progressEveryMs = 5_000;

/** Says now and then how far a command is, until it is disposed of; nothing of one that is quick. */
export function progress(say: (line: string) => void, how: () => string): Disposable {
  const timer = setInterval(() => say(how()), progressEveryMs);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** Megabytes, for people. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
