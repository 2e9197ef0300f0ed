import type { PageFiles } from './page-files.ts';

/**
 * The page's files, built of the sources as they are now. In a bundle `build.ts` puts another module in place of this
 * one, which has them ready.
 *
 * @throws Error when a source of the page is missing, or is not valid
 */
export async function loadAssets(): Promise<PageFiles> {
  const { buildPage } = await import('./page-files.ts');
  return buildPage();
}
