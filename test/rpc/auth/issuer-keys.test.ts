// Proves that the keys of an issuer are asked for no more than is needed, by counting its requests: one fetch for all
// who wait, a pause after one in vain, another only when keys are old; that keys come and go under load without a valid
// token being refused; that those which are known outlast their issuer; and that an issuer which is away or out of
// order is said to be.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Code } from '@connectrpc/connect';
import { isFault } from '../../../functions/rpc/call/status.ts';
import { RetryInfoSchema } from '../../../functions/rpc/index.ts';
import { type Behaviour, startIssuer } from '../../support/issuer.ts';
import { endsWith } from '../../support/outcome.ts';
import { eventually } from '../../support/patience.ts';
import { nameOf, wires } from '../../support/transports.ts';
import { echoOf } from '../echo.ts';
import { callerBy, requestWith, serveBy, wayOf, withToken } from './tokens.ts';

const hourMs = 3_600_000;
/** Claims of who may call. */
const may = { scope: 'echo.call' };

describe('the keys of an issuer', () => {
  it('are fetched once for all who wait, and not before they are needed', async (t) => {
    const issuer = await startIssuer(t);
    const key = await issuer.add('one');
    const way = wayOf(issuer);
    const tokens = await Promise.all(Array.from({ length: 50 }, (_, jti) => issuer.sign(key, { jti })));
    assert.deepEqual(await issuer.count(), { discovery: 0, keys: 0, elsewhere: 0 });
    await issuer.behave('slow');
    const callers = Promise.all(tokens.map((token) => callerBy(way, token)));
    await issuer.behave('well');
    assert.equal((await callers).length, 50);
    assert.deepEqual(await issuer.count(), { discovery: 1, keys: 1, elsewhere: 0 });
  });

  it('are where AUTH_JWKS_URL says', async (t) => {
    const issuer = await startIssuer(t);
    const key = await issuer.add('one');
    const way = wayOf(issuer, { jwksUrl: `${issuer.url}/jwks` });
    await callerBy(way, await issuer.sign(key));
    assert.deepEqual(await issuer.count(), { discovery: 0, keys: 1, elsewhere: 0 });
  });

  it('are not fetched for a token that could never be valid', async (t) => {
    const issuer = await startIssuer(t);
    const key = await issuer.add('one');
    const way = wayOf(issuer);
    for (const [claims, header] of [
      [{ iss: 'https://other.example' }, {}],
      [{ aud: 'https://other.example' }, {}],
      [{ exp: 1 }, {}],
      [{ exp: undefined }, {}],
      [{}, { alg: 'none' }],
      [{}, { alg: 'HS256' }],
      [{}, { alg: 'RS512' }],
      [{}, { kid: 5 }],
      [{}, { crit: ['b64'], b64: true }],
    ] as const) {
      await endsWith(Code.Unauthenticated, callerBy(way, await issuer.sign(key, claims, header)));
    }
    assert.deepEqual(await issuer.count(), { discovery: 0, keys: 0, elsewhere: 0 });
  });

  it('are not asked for again within 30 s when a token names one that there is not', async (t) => {
    const issuer = await startIssuer(t);
    const key = await issuer.add('one');
    let nowMs = Date.now();
    const way = wayOf(issuer, { now: () => nowMs });
    await callerBy(way, await issuer.sign(key));
    let count = 0;
    const invented = async () => issuer.sign(key, {}, { kid: `invented ${count++}` });
    const inVain = async (calls: number) => {
      const tokens = await Promise.all(Array.from({ length: calls }, invented));
      await Promise.all(tokens.map((token) => endsWith(Code.Unauthenticated, callerBy(way, token))));
    };
    await inVain(20);
    assert.equal((await issuer.count()).keys, 2);
    nowMs += 29_999;
    await inVain(20);
    assert.equal((await issuer.count()).keys, 2);
    nowMs += 1;
    await inVain(20);
    assert.equal((await issuer.count()).keys, 3);
    // A new one that is there needs no pause before the next.
    nowMs += 30_000;
    for (const name of ['two', 'three']) {
      await issuer.add(name);
      assert.equal((await callerBy(way, await issuer.sign(name)))?.name, 'alexa');
    }
    assert.equal((await issuer.count()).keys, 5);
  });

  it('are fetched anew when they are old, while calls go on; those withdrawn are not known any more', async (t) => {
    const issuer = await startIssuer(t);
    await issuer.add('old');
    await issuer.add('stays');
    let nowMs = Date.now();
    const way = wayOf(issuer, { now: () => nowMs });
    const [old, stays] = await Promise.all(['old', 'stays'].map((it) => issuer.sign(it, { exp: 2e10 })));
    for (const token of [old, stays]) await callerBy(way, token ?? '');
    await issuer.remove('old');
    nowMs += hourMs - 1;
    assert.ok(!(way.identify(requestWith(old ?? '')) instanceof Promise));
    assert.equal((await issuer.count()).keys, 1);
    nowMs += 1;
    // Known at once, and the fetch begins.
    assert.ok(!(way.identify(requestWith(old ?? '')) instanceof Promise));
    await eventuallyRefused(() => callerBy(way, old ?? ''));
    assert.ok(!(way.identify(requestWith(stays ?? '')) instanceof Promise));
    // One for the age, one for the key that is gone.
    assert.equal((await issuer.count()).keys, 3);
  });
});

describe('an issuer that is away', () => {
  for (const wire of wires) {
    it(`is not needed for keys that are known over ${nameOf(wire)}`, async (t) => {
      const issuer = await startIssuer(t);
      const key = await issuer.add('one');
      const [known, fresh] = await Promise.all([1, 2].map((jti) => issuer.sign(key, { ...may, jti })));
      const failures: Error[] = [];
      const way = wayOf(issuer, { onFetchFailed: (error) => void failures.push(error) });
      const echo = echoOf(await serveBy(t, way), wire);
      await echo.unary({}, withToken(known ?? ''));
      await issuer.kill();
      for (const token of [known ?? '', fresh ?? '']) {
        assert.equal((await echo.unary({}, withToken(token))).text, 'token:alexa');
      }
      assert.deepEqual(failures, []);
    });

    it(`makes a fresh server unavailable over ${nameOf(wire)}, which no token can make look like a fault of its own`, async (t) => {
      const issuer = await startIssuer(t);
      const token = await issuer.sign(await issuer.add('one'), may);
      await issuer.kill();
      const failures: Error[] = [];
      const way = wayOf(issuer, { onFetchFailed: (error) => void failures.push(error) });
      const serving = await serveBy(t, way);
      const echo = echoOf(serving, wire);
      const error = await endsWith(Code.Unavailable, echo.unary({}, withToken(token)));
      assert.ok(!error.message.includes(issuer.url), error.message);
      assert.equal(error.findDetails(RetryInfoSchema).length, 1);
      assert.match(String(failures[0]?.message), /^the keys of http.* can't be fetched$/);
      // The failed fetch is told of once, not with each call.
      const { level, fault } = await serving.line(({ code }) => code === 'UNAVAILABLE');
      assert.deepEqual([level, fault], ['info', undefined]);
      await endsWith(Code.Unauthenticated, echo.unary({}, withToken('a.b.c')));
      const garbage = await serving.line(({ code }) => code === 'UNAUTHENTICATED');
      // The log is told why, the caller is not.
      assert.deepEqual([garbage.level, String(garbage.err)], ['warn', 'Error: it is no JWT']);
    });
  }

  it('is asked again after 30 s, once', async (t) => {
    const issuer = await startIssuer(t);
    const key = await issuer.add('one');
    let nowMs = Date.now();
    const way = wayOf(issuer, { now: () => nowMs });
    const token = await issuer.sign(key);
    const unavailable = async () => {
      const calls = Array.from({ length: 20 }, () => endsWith(Code.Unavailable, callerBy(way, token)));
      const [error] = await Promise.all(calls);
      return error;
    };
    await issuer.behave('away');
    assert.ok(!isFault(await unavailable()));
    assert.equal((await issuer.count()).discovery, 1);
    nowMs += 29_999;
    await unavailable();
    assert.equal((await issuer.count()).discovery, 1);
    nowMs += 1;
    await unavailable();
    assert.equal((await issuer.count()).discovery, 2);
    await issuer.behave('well');
    nowMs += 30_000;
    assert.equal((await callerBy(way, token))?.name, 'alexa');
  });

  it('is asked every 30 s for keys that are old, which stay', async (t) => {
    const issuer = await startIssuer(t);
    const key = await issuer.add('one');
    let nowMs = Date.now();
    let failures = 0;
    const onFetchFailed = () => {
      failures += 1;
    };
    const way = wayOf(issuer, { now: () => nowMs, onFetchFailed });
    const token = await issuer.sign(key, { exp: 2e10 });
    await callerBy(way, token);
    await issuer.behave('away');
    nowMs += 24 * hourMs;
    for (let round = 1; round <= 3; round += 1) {
      for (let call = 0; call < 10; call += 1) assert.equal((await callerBy(way, token))?.name, 'alexa');
      assert.ok(await eventually(() => failures === round));
      nowMs += 30_000;
    }
    assert.equal((await issuer.count()).discovery, 4);
    // Nor can an invented key be looked for now.
    await endsWith(Code.Unauthenticated, callerBy(way, await issuer.sign(key, { exp: 2e10 }, { kid: 'x' })));
  });

  it('that hangs is waited for only so long', async (t) => {
    const issuer = await startIssuer(t);
    const key = await issuer.add('one');
    const failures: Error[] = [];
    const way = wayOf(issuer, {
      limits: { issuerTimeoutMs: 30 },
      onFetchFailed: (error) => void failures.push(error),
    });
    const token = await issuer.sign(key);
    await issuer.behave('slow');
    await endsWith(Code.Unavailable, callerBy(way, token));
    assert.match(causesOf(failures[0]), /timeout/);
  });
});

describe('an issuer that is out of order', () => {
  const causes: Partial<Record<Behaviour, RegExp>> = {
    error: /answered with status 503/,
    redirect: /redirect/,
    large: /more than 262144 bytes/,
    text: /JSON/,
    list: /names no jwks_uri|describes undefined/,
    'other issuer': /describes "http.*\/", not http/,
    'plain keys': /names no jwks_uri with https: "http:\/\/keys\.example\/jwks"/,
    'many keys': /has 101 keys, at most 100 are read/,
  };
  for (const [behaviour, cause] of Object.entries(causes) as [Behaviour, RegExp][]) {
    it(`(${behaviour}) is unavailable to a fresh server, and takes no key from others`, async (t) => {
      const issuer = await startIssuer(t);
      const key = await issuer.add('one');
      const token = await issuer.sign(key, { exp: 2e10 });
      let nowMs = Date.now();
      let failures = 0;
      const onFetchFailed = () => {
        failures += 1;
      };
      const way = wayOf(issuer, { now: () => nowMs, onFetchFailed });
      await callerBy(way, token);
      await issuer.behave(behaviour);
      let told: Error | undefined;
      const another = wayOf(issuer, {
        onFetchFailed: (error) => {
          told = error;
        },
      });
      const error = await endsWith(Code.Unavailable, callerBy(another, token));
      assert.equal(error.cause, undefined, 'made-up tokens would make the server look at fault');
      assert.match(causesOf(told), cause);
      nowMs += hourMs;
      await callerBy(way, token);
      assert.ok(await eventually(() => failures === 1));
      assert.equal((await callerBy(way, token))?.name, 'alexa');
      const fresh = await issuer.sign(key, { jti: 'fresh', exp: 2e10 });
      assert.equal((await callerBy(way, fresh))?.name, 'alexa');
      assert.equal((await issuer.count()).elsewhere, 0);
    });
  }

  it('that has withdrawn all its keys lets in nobody by them', async (t) => {
    const issuer = await startIssuer(t);
    const key = await issuer.add('one');
    const token = await issuer.sign(key, { exp: 2e10 });
    let nowMs = Date.now();
    const way = wayOf(issuer, { now: () => nowMs });
    await callerBy(way, token);
    await issuer.behave('no keys');
    nowMs += hourMs;
    await callerBy(way, token); // renews the keys
    await eventuallyRefused(() => callerBy(way, token), Code.Unavailable);
    const fresh = await issuer.sign(key, { jti: 'fresh', exp: 2e10 });
    await endsWith(Code.Unavailable, callerBy(way, fresh));
  });

  it('is not trusted without https, but on this machine', async (t) => {
    const issuer = await startIssuer(t);
    for (const url of [
      'http://issuer.example',
      'ftp://127.0.0.1',
      'https://a:b@issuer.example',
      'issuer',
      '',
    ]) {
      assert.throws(() => wayOf({ ...issuer, url }), /must be a URL with https/, url);
      assert.throws(() => wayOf(issuer, { jwksUrl: url }), /must be a URL with https/, url);
    }
    for (const url of [
      'https://issuer.example',
      'http://localhost:8080/realm',
      'http://[::1]',
      'http://127.1',
    ]) {
      wayOf({ ...issuer, url });
    }
  });
});

for (const wire of wires) {
  it(`keys are rotated under load over ${nameOf(wire)}, and no valid token is refused`, async (t) => {
    const issuer = await startIssuer(t);
    await issuer.add('key 0');
    const echo = echoOf(await serveBy(t, wayOf(issuer)), wire);
    const tokens = [await issuer.sign('key 0', may)];
    await echo.unary({}, withToken(tokens[0] ?? ''));
    let calls = 0;
    let isDone = false;
    const load = Array.from({ length: 8 }, async (_, place) => {
      for (; !isDone || calls < 200; calls += 1) {
        const token = tokens[(calls + place) % tokens.length] ?? '';
        assert.equal((await echo.unary({}, withToken(token))).text, 'token:alexa');
      }
    });
    const rotation = (async () => {
      for (let round = 1; round <= 5; round += 1) {
        // As issuers do it: the new key is shown, signs, and the old one goes when its tokens have expired.
        const key = await issuer.add(`key ${round}`, ['RS256', 'ES256', 'EdDSA'][round % 3]);
        const more = await Promise.all([1, 2, 3].map((jti) => issuer.sign(key, { ...may, jti })));
        tokens.push(...more);
        const before = calls;
        assert.ok(await eventually(() => calls > before + 20));
        tokens.splice(0, tokens.length - 3);
        const then = calls;
        // Those that took an old token have ended.
        assert.ok(await eventually(() => calls > then + 20));
        await issuer.remove(`key ${round - 1}`);
      }
      isDone = true;
    })();
    await Promise.all([...load, rotation]);
    assert.equal((await issuer.count()).keys, 6);
  });
}

/** Waits until the call is refused for its credential. */
async function eventuallyRefused(call: () => Promise<unknown>, code = Code.Unauthenticated): Promise<void> {
  let isRefused = false;
  const tries = (async () => {
    while (!isRefused) {
      await call().catch(() => {
        isRefused = true;
      });
      await turn();
    }
  })();
  assert.ok(await eventually(() => isRefused));
  await tries;
  await endsWith(code, call());
}

/** The messages of an error and all its causes. */
function causesOf(error: unknown): string {
  return error instanceof Error ? `${error.message}; ${causesOf(error.cause)}` : String(error);
}
