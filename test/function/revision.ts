import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../support/process.ts';

/** A revision of a function: its code, as a zip, and its environment. */
export interface Revision {
  readonly zip: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** Makes the zip of the bundle (`npm run build`), as the deployment does, in the folder. */
export function zipBundle(folder: string): string {
  const zip = join(folder, 'function.zip');
  const bundle = join(root, 'dist/users');
  // As `RpcFunction` leaves out.
  const files = readdirSync(bundle).filter(
    (it) => !it.endsWith('.map') && !['data.mjs', 'compile.mjs'].includes(it),
  );
  execFileSync('python3', ['-m', 'zipfile', '-c', zip, ...files], { cwd: bundle });
  return zip;
}

/** The code of a revision, read anew, as the platform does at every start. Remove it with `remove`. */
export function unpack({ zip }: Revision): { readonly folder: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'web-function-'));
  execFileSync('python3', ['-m', 'zipfile', '-e', zip, folder]);
  return { folder, remove: () => rmSync(folder, { recursive: true }) };
}
