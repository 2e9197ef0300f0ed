// Proves what the console's server answers: its page, compressed where that is accepted and not sent twice, with
// headers that let it do nothing but its work; what can be called, by descriptors that a client can read; the calls
// that have ended, to who may see them; nothing of either to pages of others; and that where it is off, / says what
// this is.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createFileRegistry, fromBinary, fromJson, type JsonValue } from '@bufbuild/protobuf';
import { base64Decode } from '@bufbuild/protobuf/wire';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { localHostsOnly } from '../../../functions/process/local-hosts.ts';
import { examples } from '../../../functions/users/examples.ts';
import type { ConsoleInfo } from '../../../functions/web/console/contract.ts';
import { pageResources } from '../../../functions/web/console/page-resource.ts';
import { frontResource } from '../../../functions/web/front.ts';
import { serve } from '../../support/server.ts';
import { page, serveConsole } from './serving.ts';

const files = [
  ['/', 'text/html; charset=utf-8', page.html],
  ['/console/app.css', 'text/css; charset=utf-8', page.css],
  ['/console/app.js', 'text/javascript; charset=utf-8', page.js],
] as const;

describe('the page', () => {
  it('is sent as it is, in gzip where that is accepted', async (t) => {
    const { get, getHttp2 } = await serveConsole(t);
    for (const [path, type, text] of files) {
      for (const ask of [get, getHttp2]) {
        for (const [accepted, encoding] of [
          ['gzip, deflate, br', 'gzip'],
          ['br;q=1, gzip;q=0.5', 'gzip'],
          ['gzip;q=0', undefined],
          ['identity', undefined],
        ] as const) {
          const { status, headers, text: sent } = await ask(path, { 'accept-encoding': accepted });
          assert.deepEqual(
            [status, headers['content-type'], headers['content-encoding'], sent],
            [200, type, encoding, text],
          );
          assert.equal(headers.vary, 'accept-encoding');
          if (encoding === undefined) assert.equal(headers['content-length'], String(text.length));
          else assert.ok(Number(headers['content-length']) < text.length + 50);
        }
      }
    }
  });

  it('may load and do nothing but its own, and is in no frame', async (t) => {
    const { get } = await serveConsole(t);
    for (const path of [
      '/',
      '/console/app.js',
      '/console/service.json',
      '/console/live',
      '/console/live?after=x',
    ]) {
      const { headers } = await get(path);
      assert.equal(
        headers['content-security-policy'],
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      );
      assert.equal(headers['x-content-type-options'], 'nosniff');
      assert.equal(headers['referrer-policy'], 'no-referrer');
      assert.equal(headers['cross-origin-opener-policy'], 'same-origin');
      assert.equal(headers['cross-origin-resource-policy'], 'same-origin');
      assert.match(String(headers['cache-control']), /^no-(?:cache|store)$/);
    }
  });

  it('is not sent to who has it', async (t) => {
    const { get, getHttp2 } = await serveConsole(t);
    for (const ask of [get, getHttp2]) {
      const { headers } = await ask('/console/app.js', { 'accept-encoding': 'gzip' });
      const tag = String(headers.etag);
      const has = (tags: string, encoding = 'gzip') =>
        ask('/console/app.js', { 'accept-encoding': encoding, 'if-none-match': tags });
      for (const tags of [tag, `"other", W/${tag}`, '*']) {
        const { status, text, headers: again } = await has(tags);
        assert.deepEqual([status, text, again.etag], [304, '', tag]);
      }
      assert.equal((await has('"other"')).status, 200);
      // It has other bytes.
      assert.equal((await has(tag, 'identity')).status, 200);
    }
  });

  it('answers HEAD with its head, and other methods with 405', async (t) => {
    const { get } = await serveConsole(t);
    const { status, headers, text } = await get('/', {}, 'HEAD');
    assert.deepEqual([status, headers['content-length'], text], [200, String(page.html.length), '']);
    const post = await get('/', {}, 'DELETE');
    assert.deepEqual([post.status, post.headers.allow], [405, 'GET']);
  });

  it('is built anew when it is loaded anew, and again after an error', async (t) => {
    let edition = 0;
    const load = async () => {
      edition += 1;
      if (edition === 2) throw new Error('a mistake in a source');
      return { ...page, html: `edition ${edition}`, js: `script ${edition}` };
    };
    const { get } = await serveConsole(t, { load });
    assert.equal((await get('/')).text, 'edition 1');
    assert.equal((await get('/console/app.js')).text, 'script 1');
    const broken = await get('/');
    assert.deepEqual([broken.status, broken.text], [500, '{"code":"internal","message":"internal error"}\n']);
    assert.equal(broken.headers['content-length'], undefined);
    assert.equal((await get('/')).text, 'edition 3');
    assert.equal((await get('/console/app.js')).text, 'script 3');
  });

  it('is built once for all who ask meanwhile', async () => {
    let builds = 0;
    const built = Promise.withResolvers<typeof page>();
    const resources = pageResources(() => {
      builds += 1;
      return built.promise;
    });
    const request = {
      query: new URLSearchParams(),
      headers: {},
      requestId: 'id',
      signal: new AbortController().signal,
    };
    const answers = [...resources, ...resources].map((it) => {
      const sent: unknown[] = [];
      const response = { status: 200, setHeader() {}, send: (part: unknown) => void sent.push(part) };
      return it.answer({ ...request, callOptions: () => ({}) }, response).then(() => sent.length);
    });
    built.resolve(page);
    assert.deepEqual(await Promise.all(answers), [1, 1, 1, 1, 1, 1]);
    assert.equal(builds, 1);
  });

  it('is open where callers have to be known, and what it asks for is not', async (t) => {
    const { get } = await serveConsole(t, { isClosed: true });
    const status = async (path: string, scope?: string) =>
      (await get(path, scope === undefined ? {} : { authorization: `Bearer ${scope}` })).status;
    for (const [path] of files) assert.equal(await status(path), 200);
    assert.equal(await status('/console/service.json'), 401);
    assert.equal(await status('/console/service.json', 'users.read'), 200);
    assert.equal(await status('/console/live'), 401);
    assert.equal(await status('/console/live', 'users.read'), 403);
    assert.equal(await status('/console/live', 'console.live'), 200);
    assert.equal(await status('/console/live', '*'), 200);
  });
});

describe('/console/service.json', () => {
  it('describes all services so that a client can call them', async (t) => {
    const { get } = await serveConsole(t);
    const info: ConsoleInfo = JSON.parse((await get('/console/service.json')).text);
    const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, base64Decode(info.files)));
    assert.deepEqual(info.services, [
      'Users',
      'grpc.health.v1.Health',
      'grpc.reflection.v1.ServerReflection',
      'grpc.reflection.v1alpha.ServerReflection',
    ]);
    for (const name of info.services) assert.ok(registry.getService(name), name);
    for (const detail of ['ErrorInfo', 'BadRequest', 'RetryInfo', 'Help']) {
      assert.ok(registry.getMessage(`google.rpc.${detail}`), detail);
    }
    assert.deepEqual([info.title, info.version, info.needsCredential], ['Users service', '1.2.3', false]);
    assert.match(info.comments['Users.CreateUser'] ?? '', /^CreateUser signs a user up\./);
    assert.deepEqual(info.scopes['/Users/CreateUser'], ['users.write']);
    assert.equal(info.scopes['/grpc.health.v1.Health/Check'], 'open');
    for (const service of info.services) {
      for (const { name } of registry.getService(service)?.methods ?? []) {
        assert.ok(info.scopes[`/${service}/${name}`], name);
      }
    }
  });

  it('has examples that are requests', async (t) => {
    const { get } = await serveConsole(t);
    const info: ConsoleInfo = JSON.parse((await get('/console/service.json')).text);
    assert.deepEqual(info.examples, examples);
    const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, base64Decode(info.files)));
    for (const [name, example] of Object.entries(examples)) {
      const [service = '', method] = name.split('.');
      const found = registry.getService(service)?.methods.find((it) => it.name === method);
      assert.ok(found, name);
      fromJson(found.input, example as JsonValue); // a JsonObject is one
    }
  });
});

describe('the console', () => {
  it('answers no page of others, even one that CORS lets call', async (t) => {
    const { get } = await serveConsole(t, { corsOrigins: ['*'] });
    for (const path of ['/console/service.json', '/console/live']) {
      const foreign: Record<string, string>[] = [
        { origin: 'https://elsewhere.example' },
        { origin: 'null' },
        { 'sec-fetch-site': 'cross-site' },
        { 'sec-fetch-site': 'same-site' },
      ];
      for (const headers of foreign) {
        const { status, text } = await get(path, headers);
        assert.deepEqual(
          [status, JSON.parse(text).code],
          [403, 'permission_denied'],
          JSON.stringify(headers),
        );
      }
      assert.equal((await get(path, { 'sec-fetch-site': 'same-origin' })).status, 200);
      assert.equal((await get(path, { 'sec-fetch-site': 'none' })).status, 200);
    }
  });

  it('answers no page that was rebound to this machine', async (t) => {
    const { get } = await serveConsole(t, { gate: localHostsOnly() });
    for (const path of [...files.map(([it]) => it), '/console/service.json', '/console/live']) {
      assert.equal((await get(path, { host: 'rebound.example' })).status, 403, path);
      assert.equal((await get(path)).status, 200, path);
    }
  });

  it('lets no form of another page call a method', async (t) => {
    const { serving, live } = await serveConsole(t);
    // What a page may send to another origin without asking it first (https://fetch.spec.whatwg.org/#simple-header).
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
    ]) {
      const { status, headers } = await fetch(`${serving.url}/Users/CreateUser`, {
        method: 'POST',
        headers: { 'content-type': type, origin: 'https://elsewhere.example', connection: 'close' },
        body: '{"username":"tom"}',
      });
      assert.deepEqual([status, headers.get('access-control-allow-origin')], [415, null], type);
    }
    assert.ok((await live()).calls.every(({ protocol }) => protocol === 'http'));
  });

  it('has no line in the log, nor among the calls', async (t) => {
    const { get, live, serving } = await serveConsole(t);
    for (const [path] of files) await get(path);
    await get('/console/service.json');
    assert.deepEqual((await live()).calls, []);
    assert.deepEqual(serving.lines, []);
  });
});

it('where it is off, / says what this is and where to look, and is not healthy', async (t) => {
  const { url } = await serve(t, { routes: () => {}, http: () => [frontResource()] });
  const response = await fetch(url, { headers: { accept: 'text/html', connection: 'close' } });
  assert.equal(response.status, 404);
  assert.equal(response.headers.get('content-type'), 'text/plain');
  assert.match(await response.text(), /^This is the Users service\b.*\/users\/.*CONSOLE=1.*\n$/);
});
