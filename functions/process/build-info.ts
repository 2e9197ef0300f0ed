/**
 * What runs here, by OpenTelemetry's attributes: the version, the commit if the build was told one (`GIT_COMMIT`), and
 * Node's version. `build.ts` puts words in place of the variables; sources have their version from npm, if that has
 * started them.
 */
export function buildInfo(): Readonly<Record<string, string>> {
  const commit = process.env.BUILD_COMMIT;
  return {
    'service.version': process.env.BUILD_VERSION ?? process.env.npm_package_version ?? 'unknown',
    ...(commit && { 'vcs.ref.head.revision': commit }),
    'process.runtime.name': 'nodejs',
    'process.runtime.version': process.versions.node,
  };
}
