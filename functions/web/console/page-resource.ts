import type { HttpResource } from '../../rpc/index.ts';

import { connectErrorText, consoleHeaders } from './console-headers.ts';
import { KeptFile } from './kept-file.ts';
import type { PageFiles } from './page-files.ts';

/** The page's files, kept until they are built anew. */
interface KeptPage {
  readonly files: PageFiles;
  readonly html: KeptFile;
  readonly css: KeptFile;
  readonly js: KeptFile;
}

/**
 * Answers `/`, `/console/app.css` and `/console/app.js`. They hold no secret, and need no credential: the page asks for
 * it.
 *
 * @param load gives the page's files. It is asked at each request of `/`, so that whoever edits the page sees it at
 * reload
 */
export function pageResources(load: () => Promise<PageFiles>): readonly HttpResource[] {
  let kept: KeptPage | undefined;
  let building: Promise<KeptPage> | undefined;
  // One at a time, however many ask: the page is open to everybody.
  const refresh = (): Promise<KeptPage> => {
    building ??= load()
      .then((files) => {
        kept = kept?.files === files ? kept : keep(files);
        return kept;
      })
      .finally(() => {
        building = undefined;
      });
    return building;
  };
  const latest = async () => building ?? kept ?? refresh();
  const resource = (path: string, get: () => Promise<KeptFile>): HttpResource => ({
    paths: [path],
    methods: ['GET'],
    headers: consoleHeaders,
    isQuiet: true,
    isPart: path !== '/',
    answer: async (request, response) => (await get()).answer(request, response),
    errorText: connectErrorText,
  });
  return [
    resource('/', async () => (await refresh()).html),
    resource('/console/app.css', async () => (await latest()).css),
    resource('/console/app.js', async () => (await latest()).js),
  ];
}

function keep(files: PageFiles): KeptPage {
  return {
    files,
    html: new KeptFile('text/html; charset=utf-8', files.html),
    css: new KeptFile('text/css; charset=utf-8', files.css),
    js: new KeptFile('text/javascript; charset=utf-8', files.js),
  };
}
