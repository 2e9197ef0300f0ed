// Proves that the bundles run where there is no node_modules, that a server loads DynamoDB's client only when it needs
// it, and of Node only what gRPC needs, that it starts from compiled code where that fits (which is made once of the
// same script) and else from its modules, that an older Node is told of, that source maps lead back to the sources, and
// that a bundle over its budget is told of.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { budgets, build, overBudget } from '../build.ts';
import { createUsersClient } from '../client/client.ts';
import { compiledFiles } from '../functions/start/compiled-script.ts';
import { ServerProcess } from './support/process.ts';

// Outside of the repository: nothing up from here has a node_modules folder.
const folder = mkdtempSync(join(tmpdir(), 'users-build-'));
const users = join(folder, 'users');
let bundles: Awaited<ReturnType<typeof build>>;

before(async () => {
  bundles = await build(folder);
});
after(() => rmSync(folder, { recursive: true }));

const run = promisify(execFile);
const code = () => compiledFiles(users).code;
/** Nothing of this process's own settings, so that none is needed. */
const env = { HOST: '127.0.0.1', PORT: '0' };

test('the server serves and drains, without the files that only DynamoDB, OTLP or nobody needs', async () => {
  for (const { path, loaded } of bundles.flatMap(({ files }) => files)) {
    if (loaded !== 'at start' && /dynamo|otlp/.test(path)) rmSync(resolve(path));
  }
  assert.deepEqual(
    readdirSync(join(users, 'chunks')).filter((file) => /dynamodb.*\.mjs$/.test(file)),
    [],
  );
  rmSync(join(users, 'compiled'), { recursive: true });
  await using server = new ServerProcess({
    args: ['main.mjs'],
    folder: users,
    settings: { USERS_DATA: join(folder, 'data') },
  });
  const { store, compiled } = await server.line('listening');
  assert.deepEqual({ store, compiled }, { store: 'sqlite', compiled: undefined });
  {
    using client = createUsersClient({ endpoint: await server.url() });
    const { user } = await client.createUser({ username: 'bundled' });
    assert.equal(user?.username, 'bundled');
  }
  await server.stop();
  bundles = await build(folder);
});

for (const isCompiled of [true, false]) {
  const title = `${isCompiled ? 'compiled' : 'from its modules'}, a server that serves gRPC and drains`;
  test(`${title} loads none of the modules of Node that it does not need`, async (t) => {
    if (!isCompiled) renameSync(code(), `${code()}.away`);
    t.after(() => existsSync(code()) || renameSync(`${code()}.away`, code()));
    const probe = join(folder, 'probe.cjs');
    const list = join(folder, 'modules.json');
    writeFileSync(
      probe,
      `process.on('exit', () =>
        require('fs').writeFileSync(${JSON.stringify(list)}, JSON.stringify(process.moduleLoadList)));`,
    );
    await using server = new ServerProcess({
      args: ['--require', probe, 'main.mjs'],
      folder: users,
      settings: { USERS_STORE: 'memory' },
    });
    assert.equal((await server.line('listening')).compiled, isCompiled || undefined);
    {
      using client = createUsersClient({ endpoint: await server.url() });
      await client.createUser({ username: 'bundled' });
    }
    await server.stop();
    const modules: unknown = JSON.parse(readFileSync(list, 'utf8'));
    assert.ok(Array.isArray(modules) && modules.includes('NativeModule net'));
    const late = ['http', 'http2', 'tls', 'zlib', 'internal/deps/undici/undici'];
    assert.deepEqual(
      late.filter((it) => modules.includes(`NativeModule ${it}`)),
      [],
    );
  });
}

for (const [title, spoil] of [
  [
    'is of another V8',
    (made: Buffer) => Buffer.concat([made.subarray(0, 4), Buffer.alloc(4), made.subarray(8)]),
  ],
  ['is cut short', (made: Buffer) => made.subarray(0, 1000)],
  ['is empty', () => Buffer.alloc(0)],
] as const) {
  test(`what was compiled and ${title} is passed over without a word`, async (t) => {
    const made = readFileSync(code());
    t.after(() => writeFileSync(code(), made));
    writeFileSync(code(), spoil(made));
    await using server = new ServerProcess({
      args: ['main.mjs'],
      folder: users,
      settings: { USERS_STORE: 'memory' },
    });
    assert.equal((await server.line('listening')).compiled, undefined);
    await server.stop();
  });
}

test('what was compiled of the same script stays, also for other Nodes: a deployment sees no other image', async () => {
  const before = readFileSync(code());
  const other = join(users, 'compiled', 'another-arm64.code');
  const ofAnother = Buffer.alloc(budgets.compiledBytes);
  writeFileSync(other, ofAnother);
  assert.deepEqual(overBudget(await build(folder)), []);
  assert.ok(before.equals(readFileSync(code())));
  assert.ok(ofAnother.equals(readFileSync(other)));
  rmSync(other);
});

test("on DynamoDB it loads the client, and says in one line that the table can't be read", async () => {
  const settings = {
    ...env,
    USERS_STORE: 'dynamodb',
    USERS_TABLE: 'users',
    DYNAMODB_ENDPOINT: 'http://127.0.0.1:9',
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
  };
  await assert.rejects(run(process.execPath, ['main.mjs'], { cwd: users, env: settings }), (error: Error) => {
    assert.match(error.message, /DynamoDB|users/);
    assert.doesNotMatch(error.message, /Cannot find|ERR_MODULE/);
    return true;
  });
});

test('it has the console ready, and loads it only where that is on', async () => {
  const sourcesOf = (path: string): string[] =>
    JSON.parse(readFileSync(`${resolve(path)}.map`, 'utf8')).sources;
  const atStart = bundles.flatMap(({ files }) => files).filter(({ loaded }) => loaded === 'at start');
  assert.ok(!atStart.some(({ path }) => sourcesOf(path).some((it) => it.includes('functions/web/console/'))));
  await using server = new ServerProcess({
    args: ['main.mjs'],
    folder: users,
    settings: { USERS_STORE: 'memory', CONSOLE: '1' },
  });
  const url = await server.url();
  const get = async (path: string) => {
    const response = await fetch(url + path, { headers: { connection: 'close' } });
    assert.equal(response.status, 200, path);
    return response.text();
  };
  const html = await get('/');
  for (const [, path = ''] of html.matchAll(/(?:src|href)="(\/[^"]+)"/g))
    assert.ok((await get(path)).length > 0);
  assert.match(html, /\/console\/app\.js/);
  assert.match(await get('/console/service.json'), /^\{"title":"Users service"/);
  assert.equal(JSON.parse(await get('/console/live')).figures.store.kind, 'memory');
  await server.stop();
});

test('on an older Node it says which one it needs, and no more', async () => {
  const older =
    "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '22.1.0' } })";
  for (const entry of ['main.mjs', 'data.mjs']) {
    const args = ['--import', `data:text/javascript,${older}`, entry];
    await assert.rejects(run(process.execPath, args, { cwd: users, env }), {
      code: 1,
      stdout: '',
      stderr: `needs Node 24: npx node ${join(users, entry)}\n`,
    });
  }
});

test('the certificate function has its handler', async () => {
  const script = 'const { handler } = await import("./main.mjs"); console.log(typeof handler);';
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], {
    cwd: join(folder, 'certificate'),
    env: { AWS_REGION: 'us-east-1' },
  });
  assert.equal(stdout, 'function\n');
});

test('every file has a source map, and what is for development is left out', () => {
  const built = bundles
    .flatMap((bundle) => bundle.files)
    .filter(({ loaded, path }) => loaded !== 'by browsers' && !path.endsWith('.code'));
  const files = built.map(({ path }) => path);
  for (const path of files) {
    const { sources, sourcesContent } = JSON.parse(readFileSync(`${resolve(path)}.map`, 'utf8'));
    assert.equal(sourcesContent, undefined, path);
    assert(!sources.some((source: string) => source.includes('node_modules/pino-pretty/')), path);
    if (/\/(certificate\/main|server)\.m?js$/.test(path)) {
      assert(
        sources.some((source: string) => /functions\/(?:certificate\/)?main\.ts$/.test(source)),
        path,
      );
    }
  }
});

test('a bundle over its budget is told of, by how much; these are not', () => {
  assert.deepEqual(overBudget(bundles), []);
  assert.match(
    overBudget(bundles, { ...budgets, serverStartBytes: 1000 }).join('\n'),
    /^serverStartBytes: \d+ bytes, \d+ over the budget of 1000 in build\.ts$/,
  );
});
