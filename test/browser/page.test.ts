// Proves that the console's page weighs what it may; that each view, in light and in dark and at 360 px, has nothing
// that axe finds; that nothing on the way breaks the policy of the page or asks another origin (each page is watched
// for that); and that a credential stays in memory. Pictures of each view go to dist/screenshots.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Browser, Page } from 'playwright-core';
import { budgets } from '../../build.ts';
import { buildPage } from '../../functions/web/console/page-files.ts';
import { ServerProcess } from '../support/process.ts';
import { axeFindings, launch, open } from './chromium.ts';
import { type ConsoleServer, serveConsole } from './console-server.ts';

const { consoleGzipBytes: maxGzipBytes } = budgets;
const pictures = new URL('../../dist/screenshots/', import.meta.url);

/** Brings each view to where it shows all that it has. */
const views: Readonly<Record<string, (page: Page, url: string) => Promise<unknown>>> = {
  async 'try-error'(page, url) {
    await page.goto(`${url}/#/try/test.tried.v1.Tried/Refuse`);
    await page.getByRole('heading', { name: 'Refuse' }).waitFor();
    await page.getByRole('button', { name: 'Add metadata' }).click();
    await page.keyboard.press('Control+Enter');
    await page.getByRole('heading', { name: 'RetryInfo' }).waitFor();
    await page.getByText('Headers and trailers').click();
  },
  async 'try-stream'(page, url) {
    await page.goto(`${url}/#/try/Users/GetUsers`);
    await page.getByRole('heading', { name: 'GetUsers' }).waitFor();
    await page.keyboard.press('Control+Enter');
    await page.locator('.status-line .ok').waitFor();
  },
  async 'try-all-kinds'(page, url) {
    await page.goto(`${url}/#/try/test.tried.v1.Tried/Echo`);
    await page.getByRole('heading', { name: 'Echo' }).waitFor();
    for (const name of ['shape', 'kinds', 'shapes', 'text_by_text', 'shape_by_small', 'kind_by_flag']) {
      await page
        .getByRole('button', { name: `Add ${name}`, exact: true })
        .first()
        .click();
    }
  },
  async live(page, url) {
    await page.goto(`${url}/#/live`);
    await page.locator('button.open').first().click();
    await page.getByRole('table').nth(1).waitFor();
  },
  async users(page, url) {
    await page.goto(`${url}/#/users`);
    await page.getByRole('button', { name: 'Look up' }).click();
    await page.locator('.found .missing').waitFor();
    await page.getByRole('button', { name: 'Sign up' }).click();
    await page.locator('.error:not(:empty)').first().waitFor();
  },
};

describe('the page of the console', () => {
  let browser: Browser;
  let server: ConsoleServer;
  before(async () => {
    [browser, server] = await Promise.all([launch(), serveConsole(), mkdir(pictures, { recursive: true })]);
  });
  after(async () => {
    await browser.close();
    await server[Symbol.asyncDispose]();
  });

  it(`weighs at most ${maxGzipBytes} bytes, all of it, in gzip`, async (t) => {
    const { html, css, js } = await buildPage();
    const gzipBytes = [html, css, js].map((it) => gzipSync(it, { level: 9 }).length);
    const sum = gzipBytes.reduce((total, it) => total + it, 0);
    t.diagnostic(`${sum} bytes: html, css and js ${gzipBytes.join(', ')}`);
    assert.ok(sum <= maxGzipBytes, `${sum} bytes`);
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [1280, 360]) {
      it(`has nothing that axe finds, ${colorScheme}, ${width} px wide`, async () => {
        await using watched = await open(browser, server.url, {
          colorScheme,
          viewport: { width, height: 860 },
        });
        const { page } = watched;
        for (const [name, show] of Object.entries(views)) {
          await show(page, server.url);
          // As high as the page is, so that what sticks to the window's edges is where it belongs.
          const height = Number(await page.evaluate('scrollTo(0, 0), document.documentElement.scrollHeight'));
          await page.setViewportSize({ width, height });
          const path = new URL(`${name}-${colorScheme}-${width}.png`, pictures).pathname;
          await page.screenshot({ path });
          await page.setViewportSize({ width, height: 860 });
          assert.deepEqual(await axeFindings(page), [], name);
          const overflow = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
          assert.equal(overflow, 0, `${name} is wider than the screen`);
        }
      });
    }
  }

  it('keeps a credential in memory alone', async () => {
    await using closed = await serveConsole({ 'secret-key': ['*'], reader: ['users.read'] });
    await using watched = await open(browser, closed.url);
    const { page } = watched;
    await page.getByText('Give a key or token above').waitFor();
    await page.getByLabel('Credential').fill('secret-key');
    await page.getByLabel('Credential').press('Enter');
    await page.getByRole('heading', { name: 'CreateUser' }).waitFor();
    await page.getByText('needs users.write').waitFor();
    await page.keyboard.press('Control+Enter');
    await page.locator('.status-line .ok').waitFor();
    const command = await page.getByLabel('Command').textContent();
    assert.match(command ?? '', /-H "authorization: Bearer \$\(cat key\.txt\)"/);
    await page.getByRole('button', { name: 'Copy link' }).click();
    await page.getByText('copied').waitFor();
    const kept = await page.evaluate(
      'Promise.all([navigator.clipboard.readText(), JSON.stringify([localStorage, sessionStorage, document.cookie, location.href])])',
    );
    assert.doesNotMatch(`${kept} ${await page.content()}`, /secret-key/);
    await page.reload();
    await page.getByText('Give a key or token above').waitFor();
    assert.equal(await page.getByLabel('Credential').inputValue(), '');
  });

  it('is what the Users function serves with CONSOLE=1', async () => {
    await using own = new ServerProcess({
      settings: { CONSOLE: '1', USERS_STORE: 'memory', USERS_SAMPLES: '1' },
    });
    await using watched = await open(browser, `${await own.url()}/#/try/Users/GetUsers`);
    const { page } = watched;
    await page.getByRole('heading', { name: 'GetUsers' }).waitFor();
    await page.keyboard.press('Control+Enter');
    await page.locator('.status-line .ok').waitFor();
    await page.keyboard.press('Alt+2');
    await page.locator('button.open').first().click();
    await page.locator('.waterfall').getByText('store.find').waitFor();
  });

  it('says in each view what it needs, and why a key is refused', async () => {
    await using closed = await serveConsole({ watcher: ['console.live', 'users.read'] });
    await using watched = await open(browser, closed.url);
    const { page } = watched;
    const notice = page.locator('.notice:visible');
    await notice.getByText('Give a key or token above').waitFor();
    await page.getByRole('link', { name: 'Live' }).click();
    await notice.getByText('console.live').first().waitFor();
    await page.getByRole('link', { name: 'Try' }).click();
    await page.locator('body[data-view="try"]').waitFor();
    await notice.getByText('npx users key new').waitFor();
    assert.equal(await page.getByRole('heading', { name: 'Event-loop delay' }).count(), 0);
    await page.getByLabel('Credential').fill('nobody');
    await notice.getByText('the credential is not valid here').waitFor();
    await page.getByLabel('Credential').fill('Bearer watcher');
    await page.getByRole('heading', { name: 'CreateUser' }).waitFor();
    await page.goto(`${closed.url}/#/live`);
    await page.getByText('serving').waitFor();
  });

  it('says which scope Live needs', async () => {
    await using closed = await serveConsole({ reader: ['users.read'], watcher: ['console.live'] });
    await using watched = await open(browser, `${closed.url}/#/live`);
    const { page } = watched;
    await page.getByText('needs a credential with the scope console.live').waitFor();
    await page.getByLabel('Credential').fill('reader');
    await page.getByText('which your credential does not have').waitFor();
    await page.getByLabel('Credential').fill('watcher');
    await page.getByText('serving').waitFor();
    assert.equal(await page.locator('.notice:visible').count(), 0);
  });
});
