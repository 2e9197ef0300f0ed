import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** The page, as browsers get it. */
export interface PageFiles {
  /** At `/`. */
  readonly html: string;
  /** At `/console/app.css`. */
  readonly css: string;
  /** At `/console/app.js`: a module without imports. */
  readonly js: string;
}

/** The names of the page's files, in its folder. */
const parts = { html: 'index.html', css: 'app.css', js: 'app.ts' };

/** Where the page's sources are. */
export const pageFolder: string = fileURLToPath(new URL('./page', import.meta.url));

/**
 * Builds the page for browsers out of its sources.
 *
 * @param folder with `index.html`, `app.css` and `app.ts`. Default: the console's
 * @throws Error when a file is missing, or is not valid
 */
export async function buildPage(folder: string = pageFolder): Promise<PageFiles> {
  // Loaded when it is needed: the image has no esbuild, and the page ready.
  const { build } = await import('esbuild');
  const [html, bundle] = await Promise.all([
    readFile(`${folder}/${parts.html}`, 'utf8'),
    build({
      entryPoints: [`${folder}/${parts.js}`, `${folder}/${parts.css}`],
      outdir: folder,
      write: false,
      bundle: true,
      minify: true,
      format: 'esm',
      target: 'es2022',
      legalComments: 'none',
    }),
  ]);
  const outputOf = (end: string) => bundle.outputFiles.find(({ path }) => path.endsWith(end))?.text ?? '';
  return { html, css: outputOf('.css'), js: outputOf('.js') };
}
