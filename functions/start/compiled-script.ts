import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { constants, Script } from 'node:vm';

/**
 * The files of a bundle that make its start shorter: the server as one script, and what V8 made of it when the bundle
 * was built. V8 takes that only if it is of the same version, which its own name tells to the last patch of Node.
 */
export function compiledFiles(folder: string): { readonly source: string; readonly code: string } {
  const { v8 } = process.versions;
  return {
    source: join(folder, 'compiled', 'server.js'),
    code: join(folder, 'compiled', `${v8}-${process.arch}.code`),
  };
}

/**
 * The script of a folder.
 *
 * @param cachedData what V8 has made of it before. Default: nothing
 * @throws Error if there is no such file
 */
export function readScript(file: string, cachedData?: Buffer): Script {
  return new Script(readFileSync(file, 'latin1'), {
    filename: file,
    cachedData,
    // `pino-pretty`, which is not in it.
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
}

/**
 * The server as a script that V8 need not compile any more; undefined where what was made at the build does not fit the
 * Node that runs. Nothing is written: the folder may be one that can only be read.
 */
export function compiledScript(folder: string): Script | undefined {
  const { source, code } = compiledFiles(folder);
  try {
    const script = readScript(source, readFileSync(code));
    return script.cachedDataRejected ? undefined : script;
  } catch {
    return undefined;
  }
}
