import type { PageFiles } from './page-files.ts';

/** A build takes a tenth of a second of CPU, and whoever asks for the page asks for one. */
const minBuildIntervalMs = 1000;
let built: { readonly files: Promise<PageFiles>; readonly atMs: number } | undefined;

/**
 * The page's files, built of the sources as they are now, or were a second ago at most. In a bundle `build.ts` puts
 * another module in place of this one, which has them ready.
 *
 * @throws Error when a source of the page is missing, or is not valid
 */
export async function loadAssets(): Promise<PageFiles> {
  const nowMs = performance.now();
  if (built === undefined || nowMs - built.atMs > minBuildIntervalMs) {
    built = { files: import('./page-files.ts').then(({ buildPage }) => buildPage()), atMs: nowMs };
  }
  return built.files;
}
