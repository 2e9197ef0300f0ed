import { unwatchFile, watchFile } from 'node:fs';
import type { Logger } from 'pino';
import { readTls, type TlsFiles, tlsProblems } from './tls-files.ts';

/** How often the files are checked: a renewed certificate is taken within this time. */
const watchIntervalMs = 10_000;

const unusable = 'the TLS files can not be used: the old ones stay';

/**
 * Takes a renewed certificate without a restart. When one of the files changes, and at SIGHUP, it reads all of them and
 * hands them to `renew`. If they can't be used, or do not belong together yet, the old ones stay, and the log says why.
 * From now on SIGHUP does not end the process, with TLS or without.
 *
 * @returns a function that ends the watch
 */
export function renewTlsFrom(
  files: TlsFiles | undefined,
  renew: (tls: ReturnType<typeof readTls>) => void,
  log: Pick<Logger, 'info' | 'error'>,
): () => void {
  const read = () => {
    if (files === undefined) return;
    const problems = tlsProblems(files);
    if (problems.length > 0) return log.error({ problems }, unusable);
    try {
      renew(readTls(files));
      log.info({}, 'the TLS files were read again');
    } catch (err) {
      // One of them was replaced, or was gone, between the look and the reading.
      log.error({ err }, unusable);
    }
  };
  const paths = files === undefined ? [] : [files.certFile, files.keyFile, files.clientCaFile];
  const watched = paths.filter((path) => path !== undefined);
  for (const path of watched) watchFile(path, { interval: watchIntervalMs, persistent: false }, read);
  process.on('SIGHUP', read);
  return () => {
    for (const path of watched) unwatchFile(path, read);
    process.off('SIGHUP', read);
  };
}
