// Proves that /users/ answers a browser with a page: a form, a row for each user as it arrives, and errors with their
// HTTP status and what to do, also where the deadline passes in the middle; that programs get lines as before; that
// what people or the store say never becomes markup; and that refusals anywhere on the port are pages for browsers.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { TestContext } from 'node:test';
import { describe, it } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { createClient } from '@connectrpc/connect';
import fc from 'fast-check';
import { limits as allLimits } from '../../functions/limits.ts';
import { localHostsOnly } from '../../functions/process/local-hosts.ts';
import { escapeHtml, type HttpRequest } from '../../functions/rpc/index.ts';
import { scopes } from '../../functions/users/scopes.ts';
import { createUsersService } from '../../functions/users/service.ts';
import type { UserStore } from '../../functions/users/store.ts';
import { memoryStore } from '../../functions/users/stores/memory.ts';
import { usersResource } from '../../functions/web/users.ts';
import { pageRendering } from '../../functions/web/users-page.ts';
import { Users } from '../../proto/gen/users_pb.js';
import { GetUsersResultSchema } from '../../proto/gen/users_types_pb.js';
import { requestHttp1 } from '../support/raw-request.ts';
import { type ServingOptions, serve } from '../support/server.ts';

/** As Chrome asks when somebody follows a link. */
const navigation = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8';

async function serveUsers(t: TestContext, store: UserStore, options: Partial<ServingOptions> = {}) {
  const { limits, ...rest } = options;
  const serving = await serve(t, {
    routes: (router) =>
      router.service(Users, createUsersService({ store, limits: { ...allLimits, ...limits } })),
    http: (local) => [usersResource(createClient(Users, local))],
    limits: limits ?? {},
    ...rest,
  });
  const get = async (path: string, headers: Record<string, string> = {}) => {
    const exchange = requestHttp1(serving.url, {
      method: 'GET',
      path,
      headers: { accept: navigation, connection: 'close', ...headers },
    });
    exchange.request.end();
    let text = '';
    for await (const chunk of exchange.chunks()) text += chunk;
    return { status: exchange.status, headers: exchange.headers, text };
  };
  return { serving, get };
}

async function storeOf(...names: string[]): Promise<UserStore> {
  const store = memoryStore();
  let userId = 7;
  for (const username of names) {
    await store.signUp({ username, userId }, new AbortController().signal);
    userId += 1;
  }
  return store;
}

describe('/users/ for browsers', () => {
  it('is a page with a form and a row for each user', async (t) => {
    const { get } = await serveUsers(t, await storeOf('alexa', 'christie'));
    const { status, headers, text } = await get('/users/?usernames=christie,%20nobody&username=ALEXA');
    assert.deepEqual([status, headers['content-type']], [200, 'text/html; charset=utf-8']);
    assert.match(
      text,
      /<th scope="row">christie<\/th><td>8<\/td><td>found<[\s\S]*>nobody<\/th><td><\/td><td>not found<[\s\S]*>alexa<\/th><td>7</,
    );
    assert.match(text, /<input name="usernames" value="christie, nobody, ALEXA"/);
    assert.match(
      text,
      /<p role="status">2 found, 1 not found\.<\/p>\n<p><a href="\/">[^<]+<\/a><\/p>\n<\/main>\n<\/html>\n$/,
    );
  });

  it('allows its own style and form, and nothing else', async (t) => {
    const { get } = await serveUsers(t, await storeOf());
    const { headers, text } = await get('/users/');
    const [, style = ''] = /<style>([\s\S]*?)<\/style>/.exec(text) ?? [];
    const hash = createHash('sha256').update(style).digest('base64');
    assert.equal(
      headers['content-security-policy'],
      `default-src 'none'; style-src 'sha256-${hash}'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
    );
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.doesNotMatch(text, /<script| style=| on\w+=|https?:/);
  });

  it('leaves what programs get as it was, and says that it depends on who asks', async (t) => {
    const { get } = await serveUsers(t, await storeOf('alexa'));
    for (const accept of [
      '*/*',
      'application/x-ndjson',
      'application/x-ndjson, text/html',
      'text/html;q=0, */*',
    ]) {
      const { headers, text } = await get('/users/?username=alexa', { accept });
      assert.equal(headers['content-type'], 'application/x-ndjson', accept);
      assert.equal(text, '{"user":{"username":"alexa","userId":7}}\n');
      assert.equal(headers.vary, 'accept');
    }
  });

  it('shows an error with its status, what it says and what to do, and keeps the form', async (t) => {
    const { get } = await serveUsers(t, await storeOf());
    const { status, headers, text } = await get('/users/?usernames=%22%3E%3Cb%3E&nmae=%3Cb%3E');
    assert.deepEqual([status, headers['content-type']], [400, 'text/html; charset=utf-8']);
    assert.match(
      text,
      /<h1>Users: 400 Bad Request<\/h1>\n<div class="bad" role="alert">\n<p><strong>the query/,
    );
    assert.match(text, /Correct the form/);
    assert.match(text, new RegExp(`Request <code>${headers['x-request-id']}</code>`));
    assert.match(text, /value="&#34;&#62;&#60;b&#62;"/);
    assert.doesNotMatch(text, /<b>/);
  });

  it('shows the rows that came before a deadline, and at the end that it has passed', async (t) => {
    const store: UserStore = {
      ...memoryStore(),
      find: async (wanted) =>
        wanted[0]?.userId === 1 ? [{ username: 'first', userId: 1 }] : new Promise(() => {}),
    };
    const { get } = await serveUsers(t, store, { limits: { readChunkUsers: 1, storeTimeoutMs: 60_000 } });
    const { status, text } = await get('/users/?user_id=1&user_id=2&timeout=200ms');
    assert.equal(status, 200);
    assert.match(
      text,
      />first<\/th>[\s\S]*<\/table>\n<p role="status">1 found, 0 not found before this:[\s\S]*the deadline passed[\s\S]*longer deadline[\s\S]*<\/html>\n$/,
    );
  });

  it('tells who is refused why, in a page', async (t) => {
    const closed = { scopes, ways: [{ identify: () => undefined }] };
    const { get } = await serveUsers(t, await storeOf(), { auth: closed });
    const unknown = await get('/users/');
    assert.deepEqual([unknown.status, unknown.headers['content-type']], [401, 'text/html; charset=utf-8']);
    assert.match(
      unknown.text,
      /needs a credential[\s\S]*known callers alone[\s\S]*console[\s\S]*<a href="\/">/,
    );
  });

  it('tells whose page was rebound to this machine how to come in', async (t) => {
    const { get } = await serveUsers(t, await storeOf(), { gate: localHostsOnly() });
    const foreign = await get('/users/', { host: 'rebound.example' });
    assert.deepEqual([foreign.status, foreign.headers['content-type']], [403, 'text/html; charset=utf-8']);
    assert.match(foreign.text, /another host[\s\S]*127\.0\.0\.1/);
  });

  it('answers a path or a method that is wrong with a page too, and programs with text', async (t) => {
    const { get } = await serveUsers(t, await storeOf());
    for (const [path, expected] of [
      ['/user/%3Cb%3E', 404],
      ['/Users/CreateUser', 405],
    ] as const) {
      const { status, headers, text } = await get(path);
      assert.deepEqual([status, headers['content-type']], [expected, 'text/html; charset=utf-8']);
      assert.match(text, new RegExp(`<h1>${expected} `));
      assert.ok(headers['content-security-policy']);
      const program = await get(path, { accept: '*/*' });
      assert.deepEqual([program.status, program.headers['content-type']], [expected, 'text/plain']);
      assert.doesNotMatch(program.text, /<h1>/);
    }
    assert.match((await get("/user/'")).text, /GET \/user\/&#39;\. /);
  });
});

/** As a browser reads it, of the characters that are escaped. */
const decode = (text: string) => text.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)));

it('never makes markup of a name', () => {
  const request = (query: URLSearchParams): Pick<HttpRequest, 'query' | 'requestId'> => ({
    query,
    requestId: 'id',
  });
  const pageOf = (name: string, asked: string) => {
    const rendering = pageRendering(request(new URLSearchParams({ username: asked, timeout: asked })));
    const user = { username: name, userId: 1 };
    const row = create(GetUsersResultSchema, { result: { case: 'user', value: user } });
    return rendering.begin() + rendering.row(row) + rendering.end();
  };
  const hostile = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.stringMatching(/^[<>"'&=/ a-z!-]{0,20}$/),
    fc.constantFrom('</td><script>', '"><img src=x onerror=y>', "' autofocus onfocus=z '", '&lt;', '<!--'),
  );
  const [inRow, inForm] = ['ROWNAME', 'FORMNAME'];
  const template = pageOf(inRow, inForm);
  fc.assert(
    fc.property(hostile, hostile, (name, asked) => {
      // The page of harmless names, with these names in their places: escaped, and without a character of markup.
      const [nameText, askedText] = [escapeHtml(name), escapeHtml(asked)];
      assert.doesNotMatch(nameText + askedText, /[<>"']/);
      assert.equal(decode(nameText), name);
      const expected = template.split(inForm).join(askedText).split(inRow).join(nameText);
      assert.ok(pageOf(name, asked) === expected);
    }),
  );
});
