/** How long a test waits for what must happen: long enough for a slow machine that is busy. */
export const patienceMs = 5_000;

/** What it resolves to, or undefined when that takes longer than `ms`. */
export async function withPatience<T>(work: Promise<T>, ms = patienceMs): Promise<T | undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), ms);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Whether the condition comes true in a time that is long for any machine. */
export async function eventually(condition: () => boolean): Promise<boolean> {
  const giveUpAtMs = performance.now() + patienceMs;
  while (!condition()) {
    if (performance.now() > giveUpAtMs) return false;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return true;
}
