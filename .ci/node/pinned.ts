import project from '../../package.json' with { type: 'json' };

/** The Node that scripts and tests run on: npm packages of its binaries, one for each platform, all of one version. */
export const pinnedNode = readPin(project.optionalDependencies);

/** @throws Error when the packages are not all of one exact version */
function readPin(dependencies: Readonly<Record<string, string>>) {
  const packages = Object.keys(dependencies).filter((name) => name.startsWith('node-'));
  const [version = '', ...others] = new Set(packages.map((name) => dependencies[name]));
  if (others.length > 0 || !/^\d+\.\d+\.\d+$/.test(version)) {
    throw new Error('package.json: the packages of Node must be of one exact version');
  }
  return { packages, version };
}
