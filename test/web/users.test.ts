// Proves what GET /users/ answers over HTTP/1.1 and HTTP/2: one line of JSON a user, in order, each as it arrives;
// errors as a last line, with a status of their own where nothing was sent before; the deadline of the query, also
// for a client that does not read; and that a client which goes away cancels the call.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type SignUp, StoreError, type UserStore, type Wanted } from '../../functions/users/store.ts';
import { memoryStore } from '../../functions/users/stores/memory.ts';
import { servePage, serveService } from './serving.ts';

const never = new AbortController().signal;

async function storeOf(...signUps: SignUp[]): Promise<UserStore> {
  const store = memoryStore();
  for (const signUp of signUps) await store.signUp(signUp, never);
  return store;
}

const alexa = { username: 'alexa', userId: 7 };
const christie = { username: 'christie', userId: 8 };
const everybody = async (wanted: readonly Wanted[]) =>
  wanted.map(({ userId }) => ({ username: `u${userId}`, userId }));

/** Users of 60 kB, a thousand of which fill every buffer on the way. */
const largeUsers = async (wanted: readonly Wanted[]) =>
  wanted.map(({ userId }) => ({ username: 'x'.repeat(60_000), userId }));

/** A query for so many users, by id. */
const queryOf = (count: number) => Array.from({ length: count }, (_, i) => `user_id=${i + 1}`).join('&');

/** So that nothing but what a test is about ends a call. */
const patient = { storeTimeoutMs: 3_600_000, defaultDeadlineMs: 3_600_000, maxDeadlineMs: 3_600_000 };

/** A store whose reads never end, and a promise of the first one's signal. */
function hangingStore() {
  const asked = Promise.withResolvers<AbortSignal>();
  const store: UserStore = {
    ...memoryStore(),
    find: (_, signal) => {
      asked.resolve(signal);
      return new Promise(() => {});
    },
  };
  return { store, asked: asked.promise };
}

const aborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) =>
    signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve()),
  );

for (const version of ['1.1', '2'] as const) {
  describe(`GET /users/ over HTTP/${version}`, () => {
    it('streams the users of the query in its order, as the article’s page shows them', async (t) => {
      const { ask } = await servePage(t, version, await storeOf(alexa, christie));
      const answer = await ask('/users/?user_id=8&username=ALEXA&username=no%20body&user_id=8');
      assert.equal(answer.status, 200);
      assert.equal(answer.headers['content-type'], 'application/x-ndjson');
      assert.deepEqual(answer.lines, [
        { user: { username: 'christie', userId: 8 } },
        { user: { username: 'alexa', userId: 7 } },
        { missing: { username: 'no body' } },
        { user: { username: 'christie', userId: 8 } },
      ]);
    });

    it('asks for the users of the article when the query names nobody', async (t) => {
      const { ask } = await servePage(t, version, await storeOf(alexa));
      const expected = [{ user: { username: 'alexa', userId: 7 } }, { missing: { username: 'christie' } }];
      for (const path of ['/users/', '/users', '/users/?', '/users/?timeout=30']) {
        assert.deepEqual((await ask(path)).lines, expected, path);
      }
    });

    const bad: [string, string][] = [
      ['name=alexa', 'a parameter is unknown: there are username, usernames, user_id and timeout'],
      ['username=', 'username must not be empty'],
      ...['0', '4294967296', '-1', '1.5', 'x', ''].map((id): [string, string] => [
        `user_id=${id}`,
        `user_id must be a number from 1 to 4294967295`,
      ]),
      ...['0', '0ms', 'x', '2h', '-1s', '1e3', '', '.5', '2 s'].map((text): [string, string] => [
        `timeout=${encodeURIComponent(text)}`,
        `timeout must be a time above zero such as 500ms or 2s`,
      ]),
      ['timeout=1&timeout=2', 'timeout must be given once'],
    ];
    it('answers 400 to what it does not understand, and says what that is', async (t) => {
      const { ask } = await servePage(t, version, await storeOf());
      for (const [query, message] of bad) {
        const { status, lines } = await ask(`/users/?username=alexa&${query}`);
        assert.deepEqual(
          [status, lines],
          [
            400,
            [
              {
                error: { code: 'invalid_argument', message: `the query of the URL is not valid: ${message}` },
              },
            ],
          ],
        );
      }
    });

    it('answers 405 to every other method', async (t) => {
      const { ask } = await servePage(t, version, await storeOf());
      for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
        const body = method === 'POST' || method === 'PUT' ? 'x'.repeat(100) : undefined;
        const { status, headers, lines } = await ask('/users/', { method, body });
        assert.deepEqual([status, headers.allow], [405, 'GET'], method);
        const error = { code: 'unimplemented', message: 'this HTTP method is not possible here' };
        assert.deepEqual(lines, [{ error }]);
      }
    });

    it('leaves other paths to others', async (t) => {
      const { ask } = await servePage(t, version, await storeOf());
      for (const path of ['/', '/user', '/users/x', '/Users/', '/users//'])
        assert.equal((await ask(path)).status, 404);
    });

    const errors = [
      [new StoreError('full', { retrySafe: false }), 503, 'unavailable', /store of the users/],
      [new TypeError('secret'), 500, 'internal', /^internal error$/],
    ] as const;
    for (const [error, expected, code, message] of errors) {
      it(`gives an error the status it has in HTTP when no line was sent before: ${code}`, async (t) => {
        const { ask } = await servePage(t, version, { ...memoryStore(), find: () => Promise.reject(error) });
        const { status, lines } = await ask('/users/');
        assert.equal(status, expected);
        const [line] = lines as [{ error: { code: string; message: string } }]; // deepEqual below checks it
        assert.deepEqual(lines, [{ error: { code, message: line.error.message } }]);
        assert.match(line.error.message, message);
      });
    }

    it('says nothing of what went wrong in this program', async (t) => {
      const getUsers = () => {
        throw new TypeError('secret');
      };
      const { status, lines } = await (await serveService(t, version, { getUsers })).ask('/users/');
      assert.deepEqual([status, lines], [500, [{ error: { code: 'internal', message: 'internal error' } }]]);
    });

    it('passes on that too many users are asked for', async (t) => {
      const { ask } = await servePage(t, version, await storeOf(), { maxUsersPerRequest: 2 });
      assert.equal((await ask(`/users/?${queryOf(2)}`)).lines.length, 2);
      const { status, lines } = await ask(`/users/?${queryOf(3)}`);
      assert.equal(status, 400);
      assert.match(JSON.stringify(lines), /at most 2 users, not 3/);
    });

    it('ends the stream with the error when lines were sent before', async (t) => {
      let reads = 0;
      const find: UserStore['find'] = (wanted) => {
        reads += 1;
        return reads === 1 ? everybody(wanted) : Promise.reject(new StoreError('full', { retrySafe: false }));
      };
      const { ask } = await servePage(t, version, { ...memoryStore(), find }, { readChunkUsers: 2 });
      const { status, lines } = await ask(`/users/?${queryOf(4)}`);
      assert.equal(status, 200);
      assert.equal(lines.length, 3);
      assert.deepEqual(lines[1], { user: { username: 'u2', userId: 2 } });
      assert.match(JSON.stringify(lines[2]), /^\{"error":\{"code":"unavailable"/);
    });

    it('sends each line as soon as it is there', { timeout: 10_000 }, async (t) => {
      const rest = Promise.withResolvers<void>();
      const find: UserStore['find'] = async (wanted) => {
        if (wanted[0]?.userId !== 1) await rest.promise;
        return everybody(wanted);
      };
      const page = await servePage(t, version, { ...memoryStore(), find }, { readChunkUsers: 1 });
      const { chunks, close } = await page.open(`/users/?${queryOf(2)}`);
      let text = '';
      for await (const chunk of chunks) {
        text += chunk;
        // If the first line were held back until the second, this would wait for ever.
        if (text === '{"user":{"username":"u1","userId":1}}\n') rest.resolve();
      }
      assert.match(text, /"u1".*\n.*"u2".*\n$/);
      close();
    });

    it('ends with 504 when the deadline of the query passes, in every unit', async (t) => {
      const { store } = hangingStore();
      const { ask } = await servePage(t, version, store, patient);
      for (const timeout of ['20ms', '0.02s', '0.02', '0.0001m', '0.001ms']) {
        const { status, lines } = await ask(`/users/?timeout=${timeout}`);
        const error = { code: 'deadline_exceeded', message: 'the deadline passed before the call was done' };
        assert.deepEqual([status, lines], [504, [{ error }]], timeout);
      }
    });

    it('tells a client that reads too slowly that the deadline has passed', {
      timeout: 10_000,
    }, async (t) => {
      const ended = Promise.withResolvers<void>();
      const find: UserStore['find'] = async (wanted, signal) => {
        if (wanted[0]?.userId === 1) return largeUsers(wanted);
        signal.addEventListener('abort', () => ended.resolve());
        return new Promise(() => {});
      };
      const changed = { ...patient, flushTimeoutMs: 3_600_000 };
      const page = await servePage(t, version, { ...memoryStore(), find }, changed);
      const { chunks, close } = await page.open(`/users/?timeout=100ms&${queryOf(900)}`);
      await ended.promise;
      let text = '';
      for await (const chunk of chunks) text += chunk;
      const last = text.trimEnd().split('\n').at(-1) ?? '';
      assert.match(last, /^\{"error":\{"code":"deadline_exceeded"/);
      close();
    });

    it('has a deadline without one in the query, and none beyond the cap', { timeout: 10_000 }, async (t) => {
      const { store } = hangingStore();
      const { ask } = await servePage(t, version, store, {
        ...patient,
        defaultDeadlineMs: 20,
        maxDeadlineMs: 40,
      });
      assert.equal((await ask('/users/')).status, 504);
      for (const timeout of ['60', '999999999m']) {
        assert.equal((await ask(`/users/?timeout=${timeout}`)).status, 504);
      }
    });

    it('cancels the call when the client goes away', { timeout: 10_000 }, async (t) => {
      const { store, asked } = hangingStore();
      const page = await servePage(t, version, store, patient);
      const close = page.send('/users/');
      const signal = await asked;
      assert.equal(signal.aborted, false);
      close();
      await aborted(signal);
    });

    it('reads the store no further than a client reads, and lets go of one that never does', {
      timeout: 20_000,
    }, async (t) => {
      let reads = 0;
      const find: UserStore['find'] = (wanted) => {
        reads += 1;
        return largeUsers(wanted);
      };
      const changed = { ...patient, readChunkUsers: 10, flushTimeoutMs: 20 };
      const page = await servePage(t, version, { ...memoryStore(), find }, changed);
      const { close } = await page.open(`/users/?timeout=500ms&${queryOf(900)}`);
      await page.ended();
      close();
      assert.ok(reads > 0 && reads < 60, `${reads} of 90 chunks were read`);
    });
  });
}
