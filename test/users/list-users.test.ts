// Proves that ListUsers goes through all users once, in the order of their names and in pages of the size that is asked
// for, within its limit; by the beginning of a name; and that only a token that the service has made, for the same
// beginning, is one.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Client } from '@connectrpc/connect';
import fc from 'fast-check';
import { pageToken, readPageToken } from '../../functions/users/page-token.ts';
import type { Listing } from '../../functions/users/store.ts';
import type { Users } from '../../proto/gen/users_pb.js';
import { limitsWith, serveUsers, storeWith } from './serving.ts';
import { failureOf, outcomeOf, violationsOf } from './told.ts';

/** The names on each page. */
async function pagesOf(
  users: Client<typeof Users>,
  request: { pageSize?: number; usernamePrefix?: string },
): Promise<string[][]> {
  const pages: string[][] = [];
  for (let pageToken = ''; pageToken !== '' || pages.length === 0; ) {
    const page = await users.listUsers({ ...request, pageToken });
    pages.push(page.user.map((it) => it.username));
    pageToken = page.nextPageToken;
  }
  return pages;
}

describe('ListUsers', () => {
  it('has every user once, in the order of names, whatever their case and the size of a page', async (t) => {
    const users = await serveUsers(t);
    assert.deepEqual(await pagesOf(users, {}), [[]]);
    const names = ['b', 'A', 'c-3', 'C_1', 'c.2', 'ca', 'Cab', '0'];
    for (const username of names) await users.createUser({ username });
    const inOrder = names.toSorted((a, b) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1));
    for (const pageSize of [1, 2, 3, 7, 8, 9, 0, 4_294_967_295])
      assert.deepEqual((await pagesOf(users, { pageSize })).flat(), inOrder, `${pageSize}`);
    const [first] = await pagesOf(users, { pageSize: 3 });
    assert.equal(first?.length, 3);
    const prefixed = (await pagesOf(users, { usernamePrefix: 'cA', pageSize: 1 })).flat();
    assert.deepEqual(prefixed, ['ca', 'Cab']);
    assert.deepEqual(await pagesOf(users, { usernamePrefix: 'd' }), [[]]);
  });

  it('asks the store for 100, or what the client wants within the limit', async (t) => {
    const listings: Listing[] = [];
    const store = storeWith({
      async list(listing) {
        listings.push(listing);
        return { users: [], next: 'tom~' };
      },
    });
    const users = await serveUsers(t, { store, limits: limitsWith({ maxListedUsers: 500 }) });
    const { nextPageToken } = await users.listUsers({ usernamePrefix: 'T' });
    await users.listUsers({ usernamePrefix: 't', pageToken: nextPageToken, pageSize: 7 });
    await users.listUsers({ pageSize: 501 });
    assert.deepEqual(listings, [
      { prefix: 't', after: '', maxUsers: 100 },
      { prefix: 't', after: 'tom~', maxUsers: 7 },
      { prefix: '', after: '', maxUsers: 500 },
    ]);
  });

  it('refuses a beginning that no name has, and a token that is not of these pages', async (t) => {
    const users = await serveUsers(t);
    const violations = async (request: object) => violationsOf(await failureOf(users.listUsers(request)));
    for (const usernamePrefix of ['.', 'a b', 'ä', 'a\n', 'a'.repeat(65), '%'])
      assert.deepEqual(await violations({ usernamePrefix }), ['username_prefix INVALID_PREFIX']);
    const ours = pageToken({ prefix: 'a', after: 'ab' });
    assert.equal(await outcomeOf(users.listUsers({ usernamePrefix: 'A', pageToken: ours })), 'OK');
    for (const [usernamePrefix, pageToken] of [
      ['b', ours],
      ['', ours],
      ['a', `${ours}=`],
      ['a', ours.slice(0, -1)],
      ['a', 'rubbish'],
      ['a', 'x'.repeat(100_000)],
    ]) {
      const request = { usernamePrefix, pageToken };
      assert.deepEqual(await violations(request), ['page_token INVALID_PAGE_TOKEN'], pageToken);
    }
    assert.deepEqual(await violations({ usernamePrefix: '.', pageToken: '?' }), [
      'username_prefix INVALID_PREFIX',
      'page_token INVALID_PAGE_TOKEN',
    ]);
  });
});

describe('a page token', () => {
  const name = fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,63}$/);

  it('says where the next page begins', () => {
    fc.assert(
      fc.property(fc.oneof(fc.constant(''), name), name, fc.constantFrom('', '~'), (prefix, start, end) => {
        const place = { prefix, after: start + end };
        const token = pageToken(place);
        assert.match(token, /^[\w-]+$/);
        assert.deepEqual(readPageToken(token), place);
      }),
    );
  });

  it('is none that the service has not made, whatever the text', () => {
    const bytes = fc.uint8Array({ maxLength: 140 }).map((it) => Buffer.from(it).toString('base64url'));
    const nearly = fc
      .tuple(name, name, fc.string())
      .map(([prefix, after, more]) => Buffer.from(`${prefix}:${after}${more}`).toString('base64url'));
    fc.assert(
      fc.property(fc.oneof(fc.string(), bytes, nearly), (text) => {
        const place = readPageToken(text);
        if (place === undefined) return;
        assert.equal(pageToken(place), text);
        assert.match(place.prefix, /^[a-z0-9._-]{0,64}$/);
        assert.match(place.after, /^[a-z0-9][a-z0-9._-]{0,63}~?$/);
      }),
    );
  });
});
