/**
 * The statistic of Kolmogorov and Smirnov for two samples: how far apart their distributions are at most, from 0 to 1
 * (https://en.wikipedia.org/wiki/Kolmogorov%E2%80%93Smirnov_test#Two-sample_Kolmogorov%E2%80%93Smirnov_test).
 */
export function distanceOf(one: readonly number[], other: readonly number[]): number {
  const [a, b] = [one, other].map((it) => it.toSorted((x, y) => x - y));
  if (a === undefined || b === undefined) return 0;
  let farthest = 0;
  let [inA, inB] = [0, 0];
  while (inA < a.length && inB < b.length) {
    const value = Math.min(a[inA] ?? Number.NaN, b[inB] ?? Number.NaN);
    while (inA < a.length && a[inA] === value) inA += 1;
    while (inB < b.length && b[inB] === value) inB += 1;
    farthest = Math.max(farthest, Math.abs(inA / a.length - inB / b.length));
  }
  return farthest;
}

/** The distance that two samples of one distribution exceed with this chance. */
export function distanceByChance(sizes: readonly [number, number], chance: number): number {
  const [n, m] = sizes;
  return Math.sqrt((-Math.log(chance / 2) * (n + m)) / (2 * n * m));
}

/** Both distributions as lines of text, from the least to the 99th of a hundred. */
export function histogram(samples: Readonly<Record<string, readonly number[]>>, unit: string): string {
  const all = Object.values(samples)
    .flat()
    .toSorted((a, b) => a - b);
  const [least = 0, most = 0] = [all[0], all[Math.floor(all.length * 0.99)]];
  const rows = 20;
  const width = (most - least) / rows || 1;
  const names = Object.keys(samples);
  const counts = Object.values(samples).map((sample) => {
    const row = Array.from({ length: rows + 1 }, () => 0);
    for (const value of sample) {
      const place = Math.min(rows, Math.floor((value - least) / width));
      row[place] = (row[place] ?? 0) + 1;
    }
    return row;
  });
  const highest = Math.max(1, ...counts.flat());
  const bar = (count = 0) => '#'.repeat(Math.ceil((40 * count) / highest)).padEnd(41);
  const lines = Array.from({ length: rows + 1 }, (_, row) => {
    const from = (least + row * width).toFixed(3).padStart(10);
    return `${from} ${unit}  ${counts.map((it) => bar(it[row])).join(' ')}`.trimEnd();
  });
  return [`${' '.repeat(12 + unit.length)} ${names.map((it) => it.padEnd(41)).join(' ')}`, ...lines].join(
    '\n',
  );
}
