import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../command.ts';

/** A revision of a function: its code, as a zip, and its environment. */
export interface Revision {
  readonly zip: string;
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * Makes a zip of a folder, as a deployment does with what it has staged.
 *
 * @param isLeftOut names of files in it that stay behind. Default: none
 */
export async function zipFolder(
  folder: string,
  zip: string,
  isLeftOut: (name: string) => boolean = () => false,
): Promise<void> {
  const files = (await readdir(folder)).filter((it) => !isLeftOut(it));
  await run('python3', ['-m', 'zipfile', '-c', zip, ...files], { cwd: folder });
}

/** The code of a revision, read anew, as the platform does at every start. Remove it with `remove`. */
export async function unpack({
  zip,
}: Revision): Promise<{ readonly folder: string; remove(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'web-function-'));
  await run('python3', ['-m', 'zipfile', '-e', zip, folder]);
  return { folder, remove: () => rm(folder, { recursive: true }) };
}
