/** What runs here. */
export interface BuildInfo {
  /** Such as `1.0.0`. */
  readonly version: string;
  /** Of which the bundle was made, if its build was told (`GIT_COMMIT`). */
  readonly commit: string | undefined;
}

/** Says what was built: `build.ts` puts its words in place of these variables. Sources have the version from npm. */
export function buildInfo(): BuildInfo {
  return {
    version: process.env.BUILD_VERSION ?? process.env.npm_package_version ?? 'unknown',
    commit: process.env.BUILD_COMMIT || undefined,
  };
}
