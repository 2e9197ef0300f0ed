import advisories from './advisories.json' with { type: 'json' };

/** Holes in Node that concern a server or a client such as this one: advisories.json, the latest first. */
export interface Advisory {
  readonly cves: readonly string[];
  readonly about: string;
  /** The first version without them, of each release line that got one; later lines never had them. */
  readonly fixedIn: readonly string[];
  /** Where it is told. */
  readonly source: string;
  /** Why a pinned version is kept all the same: of this version alone, so that another pin asks anew. */
  readonly accepted?: { readonly version: string; readonly because: string };
}

export const knownAdvisories: readonly Advisory[] = advisories;

/** Negative when `a` is the earlier version, positive when it is the later one, 0 when both are the same. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split('.').map(Number));
  for (const index of [0, 1, 2]) {
    const difference = (left?.[index] ?? 0) - (right?.[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Whether a version has the holes: it is below the fix of its line, or its line was given none. */
export function isAffected(version: string, { fixedIn }: Pick<Advisory, 'fixedIn'>): boolean {
  const line = (it: string) => Number(it.split('.')[0]);
  const fix = fixedIn.find((it) => line(it) === line(version));
  return fix === undefined
    ? line(version) < Math.max(...fixedIn.map(line))
    : compareVersions(version, fix) < 0;
}
