import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { Page } from 'playwright-core';
import { launch } from '../browser/chromium.ts';
import { uniqueName } from '../e2e/target.ts';
import { listen } from '../support/listener.ts';
import type { Peer } from './peer.ts';
import { relayChecks } from './report.ts';
import { startServer } from './server.ts';

/** connect-web in a page of another origin: over HTTP/1.1 where the port is plain, over HTTP/2 where it has TLS. */
export const chromiumPage: Peer = {
  name: 'connect-web in a page of Chromium, from another origin',
  isLocal: true,
  async run(_target, check) {
    const script = await bundlePage();
    const server = createServer((request, response) => {
      if (request.url === '/page.js') response.setHeader('content-type', 'text/javascript').end(script);
      else response.setHeader('content-type', 'text/html').end('<!doctype html><title>A page</title>');
    });
    await using site = await listen(server);
    const browser = await launch();
    try {
      for (const isSecure of [false, true]) {
        const prefix = isSecure ? 'HTTP/2: ' : 'HTTP/1.1: ';
        await using target = await startServer(isSecure, { CORS_ORIGINS: site.endpoint });
        // The authority is one that the browser can't know.
        const context = await browser.newContext({ ignoreHTTPSErrors: true });
        const page = await context.newPage();
        const protocols = await observeProtocols(page, target.endpoint);
        await page.goto(site.endpoint);
        const calls = `import('/page.js').then((it) => it.callFromPage('${target.endpoint}', '${uniqueName()}'))`;
        await relayChecks(await page.evaluate<string>(calls), check, prefix);
        await check(`${prefix}all of it went over this version`, () => {
          assert.deepEqual([...protocols], [isSecure ? 'h2' : 'http/1.1']);
        });
        await check(`${prefix}a page of an origin that is not named can't call`, async () => {
          await page.goto(site.endpoint.replace('127.0.0.1', 'localhost'));
          const call = `import('/page.js').then((it) => it.callUninvited('${target.endpoint}'))`;
          assert.match(await page.evaluate<string>(call), /Failed to fetch/);
        });
        await context.close();
      }
    } finally {
      await browser.close();
      site.cut();
    }
  },
};

async function bundlePage(): Promise<Uint8Array> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('page.ts', import.meta.url))],
    bundle: true,
    format: 'esm',
    write: false,
  });
  const [file] = outputFiles;
  assert.ok(file);
  return file.contents;
}

/** The versions of HTTP over which the page hears from the endpoint, as they come. */
async function observeProtocols(page: Page, endpoint: string): Promise<Set<string>> {
  const protocols = new Set<string>();
  const session = await page.context().newCDPSession(page);
  session.on('Network.responseReceived', ({ response }) => {
    if (response.url.startsWith(endpoint)) protocols.add(response.protocol ?? '');
  });
  await session.send('Network.enable');
  return protocols;
}
