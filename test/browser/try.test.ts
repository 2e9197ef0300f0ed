// Proves that Try does what it says, in a real Chromium: the form and the JSON follow each other, for each kind of
// field; a stream is seen arriving message by message, and ends when it is cancelled; headers, trailers and decoded
// details are shown, violations at their fields; ten thousand messages leave a bounded page; gRPC-Web and a deadline
// are sent; a link restores the form without what is secret; and all of it goes with the keyboard alone.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { Users } from '../../proto/gen/users_pb.js';
import { withPatience } from '../support/patience.ts';
import { launch, open } from './chromium.ts';
import { type ConsoleServer, serveConsole } from './console-server.ts';

const tried = '/#/try/test.tried.v1.Tried';

const jsonOf = async (page: Page) => JSON.parse(await page.locator('#json').inputValue());
const ok = (page: Page) => page.locator('.status-line .ok').waitFor();
const send = (page: Page) => page.getByRole('button', { name: 'Send' }).click();

describe('Try', () => {
  let browser: Browser;
  let server: ConsoleServer;
  before(async () => {
    [browser, server] = await Promise.all([launch(), serveConsole()]);
  });
  after(async () => {
    await browser.close();
    await server[Symbol.asyncDispose]();
  });

  it('shows services and methods with the comments of the proto, and an example', async () => {
    await using watched = await open(browser, server.url);
    const { page } = watched;
    await page.getByText('CreateUser signs a user up.').waitFor();
    await page.getByText('Required: 1 to 64 of A-Z').waitFor();
    assert.deepEqual(await page.locator('nav.methods a span:first-child').allTextContents(), [
      ...Users.methods.map(({ name }) => name),
      ...['Echo', 'Words', 'Many', 'Refuse', 'Upload'],
      ...((await page.locator('nav.methods section').count()) > 2 ? await standardMethods(page) : []),
    ]);
    assert.deepEqual(await jsonOf(page), { username: 'tom' });
  });

  it('writes what the form says into the JSON, for each kind of field, and sends it', async () => {
    await using watched = await open(browser, `${server.url}${tried}/Echo`);
    const { page } = watched;
    await page.locator('#json').fill('{}');
    const at = (path: string) => page.locator(`[data-path="${path}"]`);
    const fill = (path: string, text: string) => at(path).locator('input, textarea').last().fill(text);
    const add = (name: string) =>
      page
        .getByRole('button', { name: `Add ${name}`, exact: true })
        .first()
        .click();
    await fill('text', 'a "text" ☃');
    await fill('data', '3q2+7w==');
    await fill('small', '-7');
    await fill('long', '9007199254740993');
    await fill('float', '1.5');
    await at('kind').locator('select').selectOption('KIND_ROUND');
    await fill('struct', '{"a":[1,null]}');
    await fill('wrapper', 'wrapped');
    await at('choice').locator('select').first().selectOption('chosen_long');
    await fill('chosen_long', '12');
    await add('texts');
    await fill('texts.0', 'first');
    await add('shapes');
    await fill('shapes.0.text', 'inner');
    await page.getByRole('button', { name: 'Add text_by_text' }).last().click();
    await page.getByLabel('key of text_by_text 1').fill('a key');
    await page.locator('.entry input').last().fill('a value');
    const expected = {
      text: 'a "text" ☃',
      data: '3q2+7w==',
      small: -7,
      long: '9007199254740993',
      float: 1.5,
      kind: 'KIND_ROUND',
      struct: { a: [1, null] },
      wrapper: 'wrapped',
      chosenLong: '12',
      texts: ['first'],
      shapes: [{ text: 'inner' }],
      textByText: { 'a key': 'a value' },
    };
    assert.deepEqual(await jsonOf(page), expected);
    await send(page);
    await ok(page);
    assert.deepEqual(JSON.parse((await page.locator('.messages code').textContent()) ?? ''), expected);
  });

  it('writes a choice of keys and a mask, shows a time, and what the server says of a mask at its field', async () => {
    await using watched = await open(browser, `${server.url}/#/try/Users/UpdateUser`);
    const { page } = watched;
    const at = (path: string) => page.locator(`[data-path="${path}"]`);
    await page.locator('#json').fill('{"key": {"username": "alexa"}, "email": "alexa@example.com"}');
    const mask = at('update_mask').locator('input');
    await mask.fill('e_mail');
    await at('update_mask').locator('.error:not(:empty)').waitFor();
    await mask.fill('email,userId');
    await send(page);
    await at('update_mask')
      .locator('.error')
      .getByText('must name some of username, email, password')
      .waitFor();
    await mask.fill('email');
    await send(page);
    await ok(page);
    const answer = JSON.parse((await page.locator('.messages code').textContent()) ?? '');
    assert.equal(answer.account.email, 'alexa@example.com');
    assert.match(answer.account.createdAt, /^20\d\d-.*Z$/);
    await at('key').locator('select').first().selectOption('email');
    await at('key.email').locator('input').fill('alexa@example.com');
    const key = { email: 'alexa@example.com' };
    assert.deepEqual(await jsonOf(page), { key, email: 'alexa@example.com', updateMask: 'email' });
    await send(page);
    await ok(page);
  });

  it('shows in the form what is typed as JSON, and says at the field what can’t be', async () => {
    await using watched = await open(browser, `${server.url}${tried}/Echo`);
    const { page } = watched;
    await page
      .locator('#json')
      .fill('{"small": 5, "long": 9007199254740993, "shapes": [{"small": 3000000000}]}');
    const at = (path: string) => page.locator(`[data-path="${path}"] > input`);
    assert.equal(await at('small').inputValue(), '5');
    assert.equal(await at('long').inputValue(), '9007199254740993');
    await page
      .locator('[data-path="shapes.0.small"]')
      .getByText('must be -2147483648 to 2147483647')
      .waitFor();
    await send(page);
    assert.equal(await page.evaluate('document.activeElement.value'), '3000000000');
    assert.equal(await page.getByText('Nothing was sent yet.').count(), 1);
    await page.keyboard.press('Control+a');
    await page.keyboard.type('3');
    await page.locator('#json').fill('{"small": ');
    await page.getByText('This is not JSON').waitFor();
  });

  it('shows the messages of a stream one by one, and cancels it', async () => {
    await using watched = await open(browser, `${server.url}${tried}/Words`);
    const { page } = watched;
    for (const protocol of ['connect', 'grpc-web']) {
      await page.getByLabel('Protocol').selectOption(protocol);
      await send(page);
      for (const [index, word] of ['one', 'two', 'three'].entries()) {
        await server.script.waited();
        server.script.say(word);
        await page.locator('.messages li').nth(index).getByText(word).waitFor();
        assert.equal(await page.locator('.messages li').count(), index + 1);
        assert.match(
          (await page.locator('.messages .time').nth(index).textContent()) ?? '',
          /^\+[\d.]+ m?s$/,
        );
      }
      await page.getByRole('img', { name: '3 messages in' }).waitFor();
      await page.keyboard.press('Escape');
      await page.locator('.status-line').getByText('CANCELLED').waitFor();
      await page.locator('.answer').getByText('you cancelled it').waitFor();
      // The stream on the server, too, has ended: what is said next is for another.
      await server.script.waited();
      server.script.say(undefined);
    }
  });

  it('shows headers, trailers and metadata that was sent', async () => {
    await using watched = await open(browser, `${server.url}${tried}/Echo`);
    const { page } = watched;
    await page.getByRole('button', { name: 'Add metadata' }).click();
    await page.getByLabel('metadata name').fill('x-ask');
    await page.getByLabel('metadata value').fill('who is there');
    await send(page);
    await ok(page);
    await page.getByText(/^Headers/).click();
    await page.getByText('who is there', { exact: true }).waitFor();
    await page.getByText(/^Trailers/).click();
    await page.getByText('x-end').waitFor();
  });

  it('decodes the details of an error, and shows violations at their fields', async () => {
    await using watched = await open(browser, `${server.url}${tried}/Refuse`);
    const { page } = watched;
    await page.locator('#json').fill('{"text": "prose", "shapes": [{"small": 2}]}');
    await send(page);
    await page.getByText('INVALID_ARGUMENT').first().waitFor();
    await page.getByText('NO_RHYME in the domain tests').waitFor();
    await page.getByText('Retry after 1.5 s.').waitFor();
    await page.locator('[data-path="text"] > .error').first().getByText('must rhyme').waitFor();
    await page.locator('[data-path="shapes.0.small"] > .error').getByText('must be odd').waitFor();
    await page.locator('[data-path="text"] > input').first().fill('verse');
    assert.equal(await page.getByText('must rhyme').count(), 1, 'it stays in the answer alone');
  });

  it('shows some of ten thousand messages, and counts all', async () => {
    await using watched = await open(browser, `${server.url}${tried}/Many`);
    const { page } = watched;
    await page.locator('#json').fill('{"small": 10000}');
    await send(page);
    await ok(page);
    await page.getByText('10,000 messages ·').waitFor();
    await page.getByText('9,800 messages not shown').waitFor();
    assert.equal(await page.locator('.messages li').count(), 200);
    await page.getByText('message 10000').waitFor();
  });

  it('keeps a deadline', async () => {
    await using watched = await open(browser, `${server.url}${tried}/Words`);
    const { page } = watched;
    await page.getByLabel('Deadline').fill('soon');
    await page.getByText('must be a time such as 5s').waitFor();
    await page.getByLabel('Deadline').fill('50ms');
    await send(page);
    await page.locator('.status-line').getByText('DEADLINE_EXCEEDED').waitFor();
    await server.script.waited();
    server.script.say(undefined);
  });

  it('restores a form from its link, without what is secret', async () => {
    await using watched = await open(browser, `${server.url}/#/try/Users/CreateUser`);
    const { page } = watched;
    await page.getByLabel('Credential').fill('the-token');
    await page.locator('#json').fill('{"username": "ann & bob#1", "password": "the-password"}');
    await page.getByLabel('Protocol').selectOption('grpc-web');
    await page.getByLabel('Deadline').fill('5s');
    for (const [name, value] of [
      ['ip', '127.0.0.1: here'],
      ['x-api-key', 'the-key'],
    ] as const) {
      await page.getByRole('button', { name: 'Add metadata' }).click();
      await page.getByLabel('metadata name').last().fill(name);
      await page.getByLabel('metadata value').last().fill(value);
    }
    await page.getByRole('button', { name: 'Copy link' }).click();
    await page.getByText('copied, without password, x-api-key').waitFor();
    const link = String(await page.evaluate('navigator.clipboard.readText()'));
    assert.doesNotMatch(link, /the-/);
    await using other = await open(browser, link);
    await other.page.getByRole('heading', { name: 'CreateUser' }).waitFor();
    assert.deepEqual(await jsonOf(other.page), { username: 'ann & bob#1' });
    assert.equal(await other.page.getByLabel('Protocol').inputValue(), 'grpc-web');
    assert.equal(await other.page.getByLabel('Deadline').inputValue(), '5s');
    assert.equal(await other.page.getByLabel('metadata name').inputValue(), 'ip');
    assert.equal(await other.page.getByLabel('metadata value').inputValue(), '127.0.0.1: here');
  });

  it('says what a link asks for that is not there, and sends nothing', async () => {
    await using watched = await open(browser, `${server.url}/#/try/Users/Nope`);
    const { page } = watched;
    let sent = 0;
    page.on('request', (request) => {
      if (request.method() === 'POST') sent++;
    });
    for (const [hash, said] of [
      ['#/try/Users/Nope', 'There is no method Users/Nope.'],
      ['#/nonsense', 'There is no view nonsense.'],
      ['#/try/Users/CreateUser?request={bad', 'The link’s request can’t be read'],
    ] as const) {
      await page.goto(`${server.url}/${hash}`);
      await page.getByRole('alert').getByText(said).waitFor();
      await page.keyboard.press('Control+Enter');
    }
    await page.getByRole('link', { name: 'Show CreateUser without it' }).click();
    await page.getByRole('heading', { name: 'CreateUser' }).waitFor();
    assert.equal(sent, 0);
  });

  it('hides what is typed into a field for a secret', async () => {
    await using watched = await open(browser, `${server.url}/#/try/Users/CreateUser`);
    const { page } = watched;
    const field = page.locator('[data-path="password"] > input');
    assert.equal(await field.getAttribute('type'), 'password');
    await field.fill('never shown');
    assert.doesNotMatch((await page.getByLabel('Command').textContent()) ?? '', /never shown/);
    await page.getByText('password.txt holds the password.').waitFor();
  });

  it('says that an answer is to another request, and writes no command for what is no JSON', async () => {
    await using watched = await open(browser, `${server.url}${tried}/Echo`);
    const { page } = watched;
    await page.locator('#json').fill('{}');
    await send(page);
    await ok(page);
    await page.getByText('to what was sent before').waitFor({ state: 'hidden' });
    await page.locator('#json').fill('{"small": ');
    await page.getByText('to what was sent before').waitFor();
    await page.getByText('there is no command for it').waitFor();
    await page.locator('#json').fill('{}');
    await page.getByText('to what was sent before').waitFor({ state: 'hidden' });
    await page.getByLabel('Command').getByText('buf curl').waitFor();
  });

  it('offers to copy a request that is too long for a command, and says that its link is long', async () => {
    await using watched = await open(browser, `${server.url}${tried}/Echo`);
    const { page } = watched;
    const text = JSON.stringify({ text: 'x'.repeat(100_001) });
    await page.getByRole('heading', { name: 'Echo' }).waitFor();
    await page.locator('#json').fill(text);
    await page.getByText('copy the JSON into request.json').waitFor();
    await page.getByRole('button', { name: 'Copy JSON' }).click();
    await page.getByText('copied', { exact: true }).waitFor();
    assert.equal(await page.evaluate('navigator.clipboard.readText()'), text);
    await page.getByRole('button', { name: 'Copy link' }).click();
    await page.getByText('some programs cut it').waitFor();
  });

  it('brings the answer into view on a narrow screen', async () => {
    await using watched = await open(browser, `${server.url}${tried}/Echo`, {
      viewport: { width: 360, height: 640 },
      hasTouch: true,
      isMobile: true,
      reducedMotion: 'reduce',
    });
    const { page } = watched;
    await page.getByRole('heading', { name: 'Echo' }).waitFor();
    assert.equal(await page.locator('kbd:visible').count(), 0);
    await send(page);
    await page.locator('.actions').getByText('OK').waitFor();
    const top = Number(
      await page.evaluate(`document.querySelector('.answer-panel').getBoundingClientRect().top`),
    );
    assert.ok(top >= 0 && top < 320, `${top} px from the top`);
  });

  it('says when no answer comes, and sees by itself that the server is back', async () => {
    await using watched = await open(browser, `${server.url}${tried}/Echo`);
    const { page } = watched;
    await page.getByRole('heading', { name: 'Echo' }).waitFor();
    await page.route('**/*', (route) => route.abort());
    for (const protocol of ['connect', 'grpc-web']) {
      await page.getByLabel('Protocol').selectOption(protocol);
      await send(page);
      await page.locator('.status-line').getByText('UNAVAILABLE').waitFor();
      await page.locator('.answer').getByText('no answer from the server').waitFor();
    }
    await page.locator('#connection').getByText('no answer').waitFor();
    await page.unroute('**/*');
    await page.locator('#connection').getByText('connected').waitFor();
  });

  it('says plainly that a browser can’t stream a request', async () => {
    await using watched = await open(browser, `${server.url}${tried}/Upload`);
    const { page } = watched;
    await page.getByText('A browser can’t send a request as a stream').waitFor();
    assert.equal(await page.getByRole('button', { name: 'Send' }).count(), 0);
    assert.match((await page.getByLabel('Command').textContent()) ?? '', /buf curl/);
  });

  it('goes with the keyboard alone', async () => {
    await using watched = await open(browser, server.url);
    const { page } = watched;
    await page.getByRole('heading', { name: 'CreateUser' }).waitFor();
    const { keyboard } = page;
    await keyboard.press('Tab');
    assert.equal(await page.evaluate('document.activeElement.textContent'), 'Skip to the content');
    await keyboard.press('Enter');
    assert.equal(await page.evaluate('document.activeElement.id'), 'main');
    await keyboard.press('Tab');
    await keyboard.press('ArrowDown');
    await keyboard.press('Enter');
    await page.getByRole('heading', { name: 'GetUsers' }).waitFor();
    await keyboard.press('Control+Enter');
    await ok(page);
    assert.equal(await page.locator('.messages li').count(), 3);
    await keyboard.press('Alt+2');
    await page.getByRole('heading', { name: 'Event-loop delay' }).waitFor();
    await keyboard.press('Alt+1');
    await page.getByRole('heading', { name: 'GetUsers' }).waitFor();
    const shown = await withPatience(page.locator('.messages li').count());
    assert.equal(shown, 3, 'the answer is still there');
  });
});

/** Those of health and reflection, which servers have besides. */
async function standardMethods(page: Page): Promise<string[]> {
  return page.locator('nav.methods section:nth-child(n + 3) a span:first-child').allTextContents();
}
