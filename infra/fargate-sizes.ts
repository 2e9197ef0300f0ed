/** What lies from one number to another, in steps. */
const steps = (from: number, to: number, step: number): readonly number[] =>
  Array.from({ length: (to - from) / step + 1 }, (_, index) => from + index * step);

/**
 * CPU units to the memory (MiB) that Fargate offers with them. Source:
 * https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
 */
export const fargateSizes: ReadonlyMap<number, readonly number[]> = new Map([
  [256, [512, 1024, 2048]],
  [512, steps(1024, 4096, 1024)],
  [1024, steps(2048, 8192, 1024)],
  [2048, steps(4096, 16_384, 1024)],
  [4096, steps(8192, 30_720, 1024)],
  [8192, steps(16_384, 61_440, 4096)],
  [16_384, steps(32_768, 122_880, 8192)],
]);

/** The memory that goes with a CPU, in words. */
export function wordsOf(sizes: readonly number[]): string {
  const [from = 0, second = 0] = sizes;
  return sizes.length <= 3 ? sizes.join(', ') : `${from} to ${sizes.at(-1)} in steps of ${second - from}`;
}
