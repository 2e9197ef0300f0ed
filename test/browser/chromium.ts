import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { MissingTool, run } from '../conformance/tool.ts';

/** Starts Debian's Chromium, without a window. It reaches nobody but this machine. @throws MissingTool without it */
export async function launch(): Promise<Browser> {
  const { code, output } = await run('sh', ['-c', 'command -v chromium']);
  if (code !== 0) throw new MissingTool('Chromium is missing (Debian: apt-get install chromium)');
  return chromium.launch({
    executablePath: output.trim(),
    args: [
      ...['--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1', '--no-proxy-server'],
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []), // Chromium has no sandbox for root
    ],
  });
}

/** A page that is watched: disposal fails when it did what the console must never do. */
export interface WatchedPage extends AsyncDisposable {
  readonly page: Page;
}

/** Opens a page, and watches that it breaks no policy, logs no error, and asks no other origin. */
export async function open(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const context = await browser.newContext({
    ...options,
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  const page = await context.newPage();
  const troubles: string[] = [];
  await page.exposeFunction('tellViolation', (text: string) => troubles.push(`policy: ${text}`));
  await page.addInitScript(`addEventListener('securitypolicyviolation', (event) =>
    tellViolation(event.violatedDirective + ' ' + event.blockedURI))`);
  page.on('pageerror', (error) => troubles.push(`thrown: ${error.message}`));
  page.on('console', (message) => {
    // What Chromium itself says of a call that is refused is no error of the page.
    const isOfNetwork = message.text().startsWith('Failed to load resource');
    if (message.type() === 'error' && !isOfNetwork) troubles.push(`logged: ${message.text()}`);
  });
  const { origin } = new URL(url);
  page.on('request', (request) => {
    const asked = request.url();
    if (!asked.startsWith(`${origin}/`) && !asked.startsWith('data:')) troubles.push(`asked: ${asked}`);
  });
  await page.goto(url);
  return {
    page,
    async [Symbol.asyncDispose]() {
      await context.close();
      assert.deepEqual(troubles, []);
    },
  };
}

const axePath = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

/** What axe finds against the page as it is now, in lines. */
export async function axeFindings(page: Page): Promise<string[]> {
  // By the debugger, which the page's policy does not bind.
  const { readFile } = await import('node:fs/promises');
  const session = await page.context().newCDPSession(page);
  await session.send('Runtime.evaluate', { expression: await readFile(axePath, 'utf8') });
  const { result } = await session.send('Runtime.evaluate', {
    expression: `axe.run().then(({ violations }) => JSON.stringify(violations.flatMap(({ id, nodes }) =>
      nodes.map(({ target, failureSummary }) => id + ' at ' + target.join(' ') + ': ' + failureSummary))))`,
    awaitPromise: true,
    returnByValue: true,
  });
  await session.detach();
  return JSON.parse(String(result.value));
}
