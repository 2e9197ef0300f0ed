// Proves that the commands which the page gives to copy make the same call: they are copied, and run in a shell against
// the server, with texts that a shell, CSV and JSON would each take for something else, and with a token that comes
// from a file.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { goTool, python, run } from '../conformance/tool.ts';
import { root } from '../support/process.ts';
import { launch, open } from './chromium.ts';
import { type ConsoleServer, serveConsole } from './console-server.ts';

const hostile = `it's "quoted", $HOME \`id\` \\ !x %s ☃ -d @- ; rm`;

describe('commands to copy', () => {
  let browser: Browser;
  let server: ConsoleServer;
  const folder = mkdtempSync(join(tmpdir(), 'commands-'));
  before(async () => {
    [browser, server] = await Promise.all([launch(), serveConsole({ 'the-key': ['*'] })]);
    for (const it of ['node_modules', 'proto']) symlinkSync(join(root, it), join(folder, it));
    writeFileSync(join(folder, 'key.txt'), 'the-key\n');
    writeFileSync(join(folder, 'x-api-key.txt'), 'a key of another');
    writeFileSync(join(folder, 'password.txt'), 'long enough\n');
  });
  after(async () => {
    await browser.close();
    await server[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  /** Fills the form, and copies the command of a tool. */
  async function copy(page: Page, path: string, request: object, tool: string): Promise<string> {
    await page.goto(`${server.url}/#/try${path}`);
    await page.getByRole('heading', { name: path.split('/').at(-1) ?? '', exact: false }).waitFor();
    await page.locator('#json').fill(JSON.stringify(request));
    await page.getByRole('button', { name: tool, exact: true }).click();
    await page.getByRole('button', { name: 'Copy', exact: true }).click();
    await page.getByText('copied').first().waitFor();
    return String(await page.evaluate('navigator.clipboard.readText()'));
  }

  // npx finds `users` in the repository's own package.json alone, and key.txt is to be somewhere else.
  const npx = `npx() { if [ "$1" = users ]; then shift; '${process.execPath}' '${root}client/users.ts' "$@"; else command npx "$@"; fi; }`;
  const shell = (command: string) => run('sh', ['-c', `${npx}\ncd '${folder}' && ${command}`]);

  async function enter(page: Page): Promise<void> {
    await page.getByLabel('Credential').fill('the-key');
    await page.getByLabel('Credential').press('Enter');
    await page.getByRole('heading', { name: 'CreateUser' }).waitFor();
  }

  it('buf curl: any text, metadata, deadline and a token from a file', async () => {
    await using watched = await open(browser, server.url);
    const { page } = watched;
    await enter(page);
    const request = { text: hostile, textByText: { [hostile]: "'" }, data: '3q2+7w==' };
    await page.goto(`${server.url}/#/try/test.tried.v1.Tried/Echo`);
    await page.getByRole('heading', { name: 'Echo' }).waitFor();
    await page.getByLabel('Deadline').fill('20s');
    for (const [name, value] of [
      ['x-ask', `it's, "so" $HOME`],
      ['x-api-key', 'never shown'],
    ] as const) {
      await page.getByRole('button', { name: 'Add metadata' }).click();
      await page.getByLabel('metadata name').last().fill(name);
      await page.getByLabel('metadata value').last().fill(value);
    }
    const command = await copy(page, '/test.tried.v1.Tried/Echo', request, 'buf curl');
    assert.doesNotMatch(command, /the-key|never shown/);
    const { code, output } = await shell(command);
    assert.equal(code, 0, output);
    assert.deepEqual(JSON.parse(output), request);
    assert.equal(server.script.asked.at(-1), `it's, "so" $HOME`);
  });

  it('npx users: each method of Users', async () => {
    await using watched = await open(browser, server.url);
    const { page } = watched;
    await enter(page);
    const request = { username: 'emma', email: "e'$(id)@example.com", password: 'not this one' };
    const create = await copy(page, '/Users/CreateUser', request, 'npx users');
    assert.doesNotMatch(create, /not this one/);
    const created = await shell(create);
    assert.match(created.output, /^User created: emma/, created.output);
    // No other tool shows the password either: each takes the one in the file, which is long enough.
    for (const [username, tool] of [
      ['ava', 'buf curl'],
      ['mia', 'TypeScript'],
    ] as const) {
      const text = await copy(page, '/Users/CreateUser', { username, password: 'never' }, tool);
      assert.doesNotMatch(text, /never/);
      writeFileSync(join(folder, 'call.ts'), text);
      const made = await shell(tool === 'TypeScript' ? `${process.execPath} call.ts` : text);
      assert.match(made.output, new RegExp(`username"?: ["']${username}`), made.output);
    }
    await copy(page, '/Users/CreateUser', { username: '77' }, 'npx users').then(shell);
    const wanted = {
      user: [{ username: 'emma' }, { username: '77' }, { username: '-x; id' }, { userId: 5 }],
    };
    const got = await shell(await copy(page, '/Users/GetUsers', wanted, 'npx users'));
    assert.match(got.output, /^emma +id \d+\n77 +id \d+\n-x; id +not found\n5 +not found\n$/);

    const key = { username: 'emma' };
    const account = (text: string) => assert.match(text, /^e-mail +e'\$\(id\)@example\.org$/m);
    const change = { key, email: "e'$(id)@example.org", updateMask: 'email' };
    account((await shell(await copy(page, '/Users/UpdateUser', change, 'npx users'))).output);
    const byEmail = { key: { email: change.email } };
    account((await shell(await copy(page, '/Users/GetAccount', byEmail, 'npx users'))).output);
    const check = { key, password: 'not this one' };
    const checked = await shell(await copy(page, '/Users/CheckPassword', check, 'npx users'));
    assert.match(checked.output, /^The password is that of emma/);
    const page1 = await shell(await copy(page, '/Users/ListUsers', { usernamePrefix: 'E' }, 'npx users'));
    assert.match(page1.output, /^emma +id \d+\n$/);
    const removed = await shell(await copy(page, '/Users/DeleteUser', { key }, 'npx users'));
    assert.match(removed.output, /^User removed: emma/);
  });

  it('grpcurl: any text, metadata, deadline and a token from a file', async () => {
    const tool = await goTool('grpcurl');
    await using watched = await open(browser, server.url);
    const { page } = watched;
    await enter(page);
    const request = { text: hostile, textByText: { [hostile]: "'" }, data: '3q2+7w==' };
    await page.goto(`${server.url}/#/try/test.tried.v1.Tried/Echo`);
    await page.getByRole('heading', { name: 'Echo' }).waitFor();
    await page.getByLabel('Deadline').fill('20s');
    await page.getByRole('button', { name: 'Add metadata' }).click();
    await page.getByLabel('metadata name').fill('x-ask');
    await page.getByLabel('metadata value').fill(`grpcurl's, "so" $HOME`);
    const command = await copy(page, '/test.tried.v1.Tried/Echo', request, 'grpcurl');
    const { code, output } = await shell(command.replace('grpcurl', `'${tool}'`));
    assert.equal(code, 0, output);
    assert.deepEqual(JSON.parse(output), request);
    assert.equal(server.script.asked.at(-1), `grpcurl's, "so" $HOME`);
    const change = { key: { username: 'alexa' }, email: 'alexa@example.com', updateMask: 'email' };
    const update = await copy(page, '/Users/UpdateUser', change, 'grpcurl');
    assert.match(
      (await shell(update.replace('grpcurl', `'${tool}'`))).output,
      /"email": "alexa@example\.com"/,
    );
  });

  it('Python: a stream', async () => {
    const interpreter = await python();
    await using watched = await open(browser, server.url);
    const { page } = watched;
    await enter(page);
    const stubs =
      '-m grpc_tools.protoc -I proto --python_out=. --grpc_python_out=. users.proto users_types.proto';
    assert.equal((await shell(`'${interpreter}' ${stubs}`)).code, 0);
    const wanted = { user: [{ username: 'alexa' }, { username: hostile }] };
    const program = join(folder, 'call.py');
    const secret = { username: 'zoe', password: 'never' };
    writeFileSync(program, await copy(page, '/Users/CreateUser', secret, 'Python'));
    const made = await shell(`'${interpreter}' call.py`);
    assert.match(made.output, /username: "zoe"/, made.output);
    writeFileSync(program, await copy(page, '/Users/GetUsers', wanted, 'Python'));
    const got = await shell(`'${interpreter}' call.py`);
    assert.match(got.output, /user \{\s+username: "alexa"[\s\S]*missing \{/);
  });

  it('TypeScript: unary and stream', async () => {
    await using watched = await open(browser, server.url);
    const { page } = watched;
    await enter(page);
    const program = join(folder, 'call.ts');
    writeFileSync(program, await copy(page, '/Users/CreateUser', { username: 'noah' }, 'TypeScript'));
    const created = await shell(`${process.execPath} call.ts`);
    assert.match(created.output, /username: 'noah'/);
    const wanted = { user: [{ username: 'noah' }, { username: hostile }] };
    writeFileSync(program, await copy(page, '/Users/GetUsers', wanted, 'TypeScript'));
    const got = await shell(`${process.execPath} call.ts`);
    assert.match(got.output, /case: 'user'[\s\S]*case: 'missing'/);
  });
});
