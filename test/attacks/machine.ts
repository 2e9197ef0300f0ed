/** The same work as `work` below takes so long on the machine that the bounds were set on, quiet, in ms. */
const normalMs = 2;
const rounds = 25;
const text = JSON.stringify(
  Array.from({ length: 4_000 }, (_, id) => ({ user: { username: `user-${id}`, id } })),
);

let slowness: number | undefined;

/**
 * How many times slower this machine is than the one on which the bounds were set, at least 1. It is measured once, by
 * work of the kind that the server does; the quickest of many rounds counts, so that it says what the machine can do
 * and not what else ran on it.
 */
export function machineSlowness(): number {
  slowness ??= Math.max(1, Math.min(...Array.from({ length: rounds }, work)) / normalMs);
  return slowness;
}

function work(): number {
  const startedAtMs = performance.now();
  JSON.stringify(JSON.parse(text));
  return performance.now() - startedAtMs;
}
