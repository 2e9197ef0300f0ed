// Proves that Live shows calls as they end, opens them to their parts, finds them by text and by status, and stands
// still when it is told to; that its pictures move; and that people sign up and look others up, each shown as it
// arrives, with errors at their fields.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import type { Browser, Page } from 'playwright-core';
import { Users } from '../../proto/gen/users_pb.js';
import { launch, open } from './chromium.ts';
import { type ConsoleServer, serveConsole } from './console-server.ts';

describe('Live and Users', () => {
  let browser: Browser;
  let server: ConsoleServer;
  before(async () => {
    [browser, server] = await Promise.all([launch(), serveConsole()]);
  });
  after(async () => {
    await browser.close();
    await server[Symbol.asyncDispose]();
  });

  const create = (username: string) =>
    createClient(Users, createGrpcTransport({ baseUrl: server.url })).createUser({ username });
  const rows = (page: Page) => page.locator('tr.call');

  it('shows calls as they end, and what they were made of', async () => {
    await using watched = await open(browser, `${server.url}/#/live`);
    const { page } = watched;
    await page.getByText('No call has ended yet.').waitFor();
    await create('emma');
    await rows(page).first().getByText('Users/CreateUser').waitFor();
    await assert.rejects(create('emma'));
    await rows(page).first().getByText('ALREADY_EXISTS').waitFor();
    await rows(page).first().getByRole('button').click();
    const detail = page.locator('.call-detail');
    await detail.getByText('the username is taken').first().waitFor();
    const parts = await detail.locator('tbody th').allTextContents();
    for (const part of ['call', 'gate', 'request', 'handler'])
      assert.ok(parts.includes(part), `${part} of ${parts}`);
    await detail.getByText('user-agent').first().waitFor();
    // Calls that end later leave it open.
    await create('noah');
    await rows(page).nth(2).waitFor();
    await detail.getByText('the username is taken').first().waitFor();
    await page.getByLabel('Filter by status').selectOption('failed');
    await page.getByText('1 of the latest 3 calls').waitFor();
    await page.getByLabel('Filter by status').selectOption('');
    await page.getByLabel('Filter by text').fill('getusers');
    await page.getByText('0 of the latest 3 calls').waitFor();
    await page.getByLabel('Filter by text').fill('');
    await page.getByRole('button', { name: 'Pause' }).click();
    await create('olivia');
    await page.getByText('Paused: 1 call since.').waitFor();
    assert.equal(await rows(page).count(), 3);
    await page.getByRole('button', { name: 'Resume' }).click();
    await rows(page).nth(3).waitFor();
    for (const name of ['Rate', 'Latency', 'Failures', 'Event-loop delay']) {
      await page.getByRole('img', { name: `${name}, last two minutes` }).waitFor();
    }
    await page.locator('.server-facts').getByText('serving').waitFor();
    await page.locator('.server-facts').getByText('memory').waitFor();
  });

  it('asks again when the server answers again, and not while nobody looks', async () => {
    await using watched = await open(browser, `${server.url}/#/live`);
    const { page } = watched;
    await page.locator('.server-facts').getByText('serving').waitFor();
    await page.route('**/console/live*', (route) => route.fulfill({ status: 503, body: '' }));
    await page.getByText('The server answered with 503').waitFor();
    await page.unroute('**/console/live*');
    await page.getByText('The server answered with 503').waitFor({ state: 'hidden' });
    await page.getByRole('link', { name: 'Try' }).click();
    let asked = 0;
    page.on('request', (request) => {
      if (request.url().includes('/console/live')) asked++;
    });
    await page.getByRole('heading', { name: 'CreateUser' }).waitFor();
    // A call of its own takes as long as it takes; a page that asks would ask in that time at the latest.
    await page.getByLabel('Deadline').fill('1500ms');
    await page.getByRole('link', { name: 'Words' }).click();
    await page.getByLabel('Deadline').fill('1500ms');
    await page.keyboard.press('Control+Enter');
    await page.locator('.status-line').getByText('DEADLINE_EXCEEDED').waitFor();
    assert.equal(asked, 0);
    server.script.say(undefined);
  });

  it('shows no old state as the present one, and each call once, when the server fails for a while', async () => {
    await using watched = await open(browser, `${server.url}/#/live`);
    const { page } = watched;
    await create('harper');
    await rows(page).first().getByText('Users/CreateUser').waitFor();
    const count = await rows(page).count();
    await page.route('**/console/*', (route) => route.abort());
    await page.getByText('The server does not answer').waitFor();
    await page.locator('#connection').getByText('no answer').waitFor();
    assert.equal(await page.locator('.server-facts').textContent(), 'Statenot known');
    await page.unroute('**/console/*');
    await page.locator('.server-facts').getByText('serving').waitFor();
    await page.locator('#connection').getByText('connected').waitFor();
    assert.equal(await rows(page).count(), count);
  });

  it('shows status and time of a call at 360 px, and opens it by a click anywhere', async () => {
    await using watched = await open(browser, `${server.url}/#/live`, {
      viewport: { width: 360, height: 740 },
    });
    const { page } = watched;
    await create('aria');
    const row = rows(page).first();
    await row.getByText('OK').waitFor();
    for (const part of ['.status', '.took .number']) {
      const box = await row.locator(part).boundingBox();
      assert.ok(box !== null && box.x >= 0 && box.x + box.width <= 360, part);
    }
    await row.locator('.ended').click();
    await page.locator('.waterfall').waitFor();
    assert.equal(await row.getByRole('button').getAttribute('aria-expanded'), 'true');
    const overflow = await page.evaluate(
      `(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)(document.querySelector('.scroll'))`,
    );
    assert.equal(overflow, 0);
    await row.getByRole('button').press('Enter');
    await page.locator('.waterfall').waitFor({ state: 'hidden' });
  });

  it('is not ready while the store fails, and drains while it drains', async () => {
    await using watched = await open(browser, server.url);
    const { page } = watched;
    await page.getByRole('heading', { name: 'CreateUser' }).waitFor();
    let change = {};
    await page.route('**/console/live*', async (route) => {
      const response = await route.fetch();
      const answer = await response.json();
      await route.fulfill({ response, json: { ...answer, figures: { ...answer.figures, ...change } } });
    });
    change = { store: { kind: 'sqlite', trouble: 'Users does not serve: the disk is full' } };
    await page.goto(`${server.url}/#/live`);
    await page.locator('.fact .fault').getByText('not ready').waitFor();
    change = { isDraining: true };
    await page.locator('.fact .failed').getByText('draining').waitFor();
  });

  it('signs up, says at the field what is wrong, and looks up', async () => {
    await using watched = await open(browser, `${server.url}/#/users`);
    const { page } = watched;
    await page.getByLabel('Username').fill('not a name');
    await page.getByLabel('Email').fill('nowhere');
    await page.getByLabel('Password').fill('short');
    await page.getByRole('button', { name: 'Sign up' }).click();
    for (const [label, problem] of [
      ['Username', 'must be 1 to 64'],
      ['Email', 'must be an address'],
      ['Password', 'must be 8 to 128 bytes'],
    ] as const) {
      await page
        .locator('.field', { has: page.getByLabel(label) })
        .locator('.error')
        .getByText(problem)
        .waitFor();
      // The server has answered by now.
      assert.equal(await page.getByLabel(label).getAttribute('aria-invalid'), 'true');
    }
    assert.equal(await page.evaluate('document.activeElement.name'), 'username');
    await page.getByLabel('Username').fill('lukas');
    await page.getByLabel('Email').fill('lukas@example.com');
    await page.getByLabel('Password').fill('long enough');
    await page.keyboard.press('Enter');
    await page.getByText('lukas is signed up').waitFor();
    assert.equal(await page.getByLabel('Password').inputValue(), '');
    await page.getByLabel('Username').fill('lukas');
    await page.keyboard.press('Enter');
    await page.locator('.error').getByText('is taken').waitFor();
    await page.getByRole('button', { name: 'Look up' }).click();
    await page.getByText('3 users found, 1 missing').waitFor();
    const found = await page.locator('.found .name').allTextContents();
    assert.deepEqual(found, ['alexa', 'christie', 'nobody', 'lukas']);
    await page.locator('.missing').getByText('not found').waitFor();
    // At once: Chromium takes a while over each line that is typed.
    const names = Array.from({ length: 3000 }, (_, it) => `user${it}`).join('\n');
    await page.evaluate(`document.querySelector('.users textarea').value = ${JSON.stringify(names)}`);
    await page.getByRole('button', { name: 'Look up' }).click();
    await page.getByText('0 users found, 3,000 missing').waitFor();
    assert.equal(await page.locator('.found li').count(), 500);
  });
});
