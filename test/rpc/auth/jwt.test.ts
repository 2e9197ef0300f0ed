// Proves that a token lets in whom its issuer has signed it for, over every protocol: with each algorithm, the caller's
// name, scopes in whatever form issuers write them; that it must be by this issuer, for this service and for now; and
// that it is verified once, and known until it expires.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import { Code, type ConnectError } from '@connectrpc/connect';
import { isFault } from '../../../functions/rpc/call/status.ts';
import { ErrorInfoSchema, RetryInfoSchema } from '../../../functions/rpc/index.ts';
import { audience, startIssuer } from '../../support/issuer.ts';
import { endsWith } from '../../support/outcome.ts';
import { nameOf, wires } from '../../support/transports.ts';
import { echoOf } from '../echo.ts';
import { callerBy, requestWith, serveBy, wayOf, withToken } from './tokens.ts';

/** The reason of a refusal. */
function reasonOf(error: ConnectError): string | undefined {
  return error.details
    .map((it) => ('desc' in it && it.desc === ErrorInfoSchema ? it.value : undefined))
    .map((value) => (value !== undefined && 'reason' in value ? String(value.reason) : undefined))
    .find((reason) => reason !== undefined);
}

describe('a token', () => {
  for (const wire of wires) {
    it(`lets in over ${nameOf(wire)} who has it, and nobody else`, async (t) => {
      const issuer = await startIssuer(t);
      const key = await issuer.add('one');
      const serving = await serveBy(t, wayOf(issuer));
      const echo = echoOf(serving, wire);
      const good = withToken(await issuer.sign(key, { scope: 'echo.call' }));
      assert.equal((await echo.unary({}, good)).text, 'token:alexa');
      // Known now.
      assert.equal((await echo.unary({}, good)).text, 'token:alexa');
      const lacking = await issuer.sign(key, { scope: 'echo' });
      const denied = await endsWith(Code.PermissionDenied, echo.unary({}, withToken(lacking)));
      assert.match(denied.message, /echo\.call/);
      const expired = await issuer.sign(key, { exp: 1 });
      const late = await endsWith(Code.Unauthenticated, echo.unary({}, withToken(expired)));
      assert.match(late.metadata.get('www-authenticate') ?? '', /error_description="expired"/);
      const stranger = await issuer.sign(key, { aud: 'https://other.example' });
      const bad = await endsWith(Code.Unauthenticated, echo.unary({}, withToken(stranger)));
      assert.equal(bad.metadata.get('www-authenticate'), 'Bearer error="invalid_token"');
      await endsWith(Code.Unauthenticated, echo.unary({}));
      await serving.line(({ caller }) => JSON.stringify(caller)?.includes('alexa') ?? false);
      // Of a token nothing is said: neither to its client nor to the log.
      const said = inspect([serving.lines, denied, late, bad], { depth: 20 });
      for (const token of [good.headers.authorization ?? '', lacking, expired, stranger]) {
        assert.ok(!said.includes(token.slice(-40)), said);
      }
    });
  }

  for (const algorithm of ['RS256', 'ES256', 'EdDSA']) {
    it(`may be signed with ${algorithm}, and need not name the only such key`, async (t) => {
      const issuer = await startIssuer(t);
      await issuer.add('other', algorithm === 'ES256' ? 'EdDSA' : 'ES256');
      const key = await issuer.add('one', algorithm);
      const way = wayOf(issuer);
      assert.equal((await callerBy(way, await issuer.sign(key)))?.id, 'token:alexa');
      const nameless = await issuer.sign(key, { sub: 'tom' }, { kid: undefined });
      assert.equal((await callerBy(way, nameless))?.id, 'token:tom');
    });
  }

  it('is for another way where it has not the form of one', async (t) => {
    const way = wayOf(await startIssuer(t));
    for (const other of ['usk_0123', 'a.b', 'a.b.c.d', '..', 'a..b', 'a b.c.d', 'a.b.c ~']) {
      assert.equal(way.identify(requestWith(other)), undefined, other);
    }
    assert.equal(way.identify({ ...requestWith(''), headers: {} }), undefined);
  });
});

describe('the claims of a token', () => {
  const cases: Record<string, [claims: object, scopes: readonly string[]]> = {
    'scope as text': [{ scope: 'a b' }, ['a', 'b']],
    'scope as a list': [{ scope: ['a', 'b'] }, ['a', 'b']],
    'scp as text': [{ scp: 'a  b ' }, ['a', 'b']],
    'scp as a list': [{ scp: ['a', 'b'] }, ['a', 'b']],
    'permissions as a list': [{ permissions: ['a', 'b'] }, ['a', 'b']],
    'permissions as text': [{ permissions: 'a b' }, ['a', 'b']],
    'roles as a list': [{ roles: ['a', 'b'] }, ['a', 'b']],
    'roles as text': [{ roles: 'a b' }, ['a', 'b']],
    'all of them': [
      { scope: 'a b', scp: ['b', 'c'], permissions: 'd', roles: ['e'] },
      ['a', 'b', 'c', 'd', 'e'],
    ],
    none: [{}, []],
    'other types': [{ scope: 5, scp: { a: 1 }, permissions: null, roles: [1, ['a'], '', null, 'b'] }, ['b']],
    'more than are granted': [{ scope: 'a b c d e f g h i' }, ['a', 'b', 'c', 'd', 'e']],
  };
  it('give the scopes in every form', async (t) => {
    const issuer = await startIssuer(t);
    const key = await issuer.add('one');
    const way = wayOf(issuer, { limits: { maxScopesPerJwt: 5 } });
    for (const [title, [claims, scopes]] of Object.entries(cases)) {
      const caller = await callerBy(way, await issuer.sign(key, claims));
      assert.deepEqual([...(caller?.scopes ?? ['nobody'])], scopes, title);
    }
  });

  it('give the name: the subject, else the client', async (t) => {
    const issuer = await startIssuer(t);
    const key = await issuer.add('one');
    const way = wayOf(issuer);
    const named = async (claims: object) => (await callerBy(way, await issuer.sign(key, claims)))?.name;
    assert.equal(await named({ client_id: 'b', azp: 'c' }), 'alexa');
    assert.equal(await named({ sub: undefined, client_id: 'b', azp: 'c' }), 'b');
    assert.equal(await named({ sub: '', client_id: 5, azp: 'c' }), 'c');
    // A client that is called like a subject is another caller.
    const id = async (claims: object) => (await callerBy(way, await issuer.sign(key, claims)))?.id;
    assert.equal(await id({ sub: 'b' }), 'token:b');
    assert.equal(await id({ sub: undefined, client_id: 'b' }), 'client:b');
    const nobody = await endsWith(Code.Unauthenticated, named({ sub: undefined }));
    assert.equal(reasonOf(nobody), 'BAD_CREDENTIALS');
    // What is cut off tells them apart.
    const long = 'x'.repeat(200);
    const names = new Set([await named({ sub: `${long}1` }), await named({ sub: `${long}2` })]);
    assert.deepEqual([names.size, ...[...names].map((name) => name?.length)], [2, 128, 128]);
  });

  const nowS = 2_000_000_000;
  const refused: Record<string, [claims: object, reason: string]> = {
    'no issuer': [{ iss: undefined }, 'BAD_CREDENTIALS'],
    'another issuer': [{ iss: 'https://other.example' }, 'BAD_CREDENTIALS'],
    'a list of issuers': [{ iss: ['https://other.example'] }, 'BAD_CREDENTIALS'],
    'no audience': [{ aud: undefined }, 'BAD_CREDENTIALS'],
    'another audience': [{ aud: 'https://other.example' }, 'BAD_CREDENTIALS'],
    'other audiences': [{ aud: ['a', 'b'] }, 'BAD_CREDENTIALS'],
    'another audience, and the client': [{ aud: 'a', client_id: audience }, 'BAD_CREDENTIALS'],
    'an empty audience, and the client': [{ aud: null, client_id: audience }, 'BAD_CREDENTIALS'],
    'another client': [{ aud: undefined, client_id: 'other' }, 'BAD_CREDENTIALS'],
    'no expiry': [{ exp: undefined }, 'BAD_CREDENTIALS'],
    'an expiry as text': [{ exp: String(nowS + 100) }, 'BAD_CREDENTIALS'],
    'a start as text': [{ nbf: '0' }, 'BAD_CREDENTIALS'],
    expired: [{ exp: nowS - 60 }, 'EXPIRED_CREDENTIALS'],
    'expired long ago': [{ exp: -1e300 }, 'EXPIRED_CREDENTIALS'],
    'not yet valid': [{ nbf: nowS + 61 }, 'BAD_CREDENTIALS'],
  };
  const accepted: Record<string, object> = {
    'one of its audiences': { aud: ['a', audience] },
    'the client where there is no audience': { aud: undefined, client_id: audience },
    'expired within the skew': { exp: nowS - 59 },
    'valid within the skew': { nbf: nowS + 60 },
    'a part of a second': { exp: nowS + 0.5, nbf: nowS - 0.5 },
    'a very late end': { exp: 1e300 },
  };
  it('must be for this service, by this issuer, and for now', async (t) => {
    const issuer = await startIssuer(t);
    const key = await issuer.add('one');
    const way = wayOf(issuer, { now: () => nowS * 1000 + 999 });
    const valid = { exp: nowS + 100 };
    for (const [title, claims] of Object.entries(accepted)) {
      const caller = await callerBy(way, await issuer.sign(key, { ...valid, ...claims }));
      assert.equal(caller?.id, 'token:alexa', title);
    }
    for (const [title, [claims, reason]] of Object.entries(refused)) {
      const token = await issuer.sign(key, { ...valid, ...claims });
      const error = await endsWith(Code.Unauthenticated, callerBy(way, token));
      assert.equal(reasonOf(error), reason, title);
    }
  });
});

describe('a token that was verified', () => {
  it('is known at once, until it expires', async (t) => {
    const issuer = await startIssuer(t);
    const key = await issuer.add('one');
    let nowS = 2_000_000_000;
    const way = wayOf(issuer, { now: () => nowS * 1000 });
    const token = await issuer.sign(key, { exp: nowS + 10 });
    const first = way.identify(requestWith(token));
    assert.ok(first instanceof Promise);
    assert.equal(way.identify(requestWith(token)), first, 'one verification serves both');
    const caller = await first;
    nowS += 69;
    assert.equal(way.identify(requestWith(token)), caller);
    nowS += 1;
    assert.throws(() => way.identify(requestWith(token)), /expired/);
  });

  it('is forgotten when as many others have come', async (t) => {
    const issuer = await startIssuer(t);
    const key = await issuer.add('one');
    const way = wayOf(issuer, { limits: { maxRememberedJwts: 2 } });
    const tokens = await Promise.all(['a', 'b', 'c'].map((sub) => issuer.sign(key, { sub })));
    for (const token of tokens) await callerBy(way, token);
    const isKnown = tokens.map((token) => {
      const answer = way.identify(requestWith(token));
      return !(answer instanceof Promise);
    });
    assert.deepEqual(isKnown, [false, true, true]);
    await callerBy(way, tokens[0] ?? '');
  });
});

describe('tokens that are wrong', () => {
  it('in their signatures are a share of each client, which fills again; right ones take nothing of it', async (t) => {
    const issuer = await startIssuer(t);
    const key = await issuer.add('one');
    let nowMs = Date.now();
    const limits = { badJwtBurstPerClient: 3, badJwtsPerSecondPerClient: 2, maxClientsWithBadJwts: 2 };
    const way = wayOf(issuer, { limits, now: () => nowMs });
    let count = 0;
    const good = () => issuer.sign(key, { jti: String(count++) });
    const bad = async () => (await good()).replace(/[^.]+$/, 'A'.repeat(86));
    for (let index = 0; index < 10; index += 1) await callerBy(way, await good());
    for (let index = 0; index < 3; index += 1) {
      const error = await endsWith(Code.Unauthenticated, callerBy(way, await bad()));
      assert.equal(reasonOf(error), 'BAD_CREDENTIALS');
    }
    const token = await good();
    const spent = await endsWith(Code.ResourceExhausted, callerBy(way, token));
    assert.equal(reasonOf(spent), 'QUOTA_EXCEEDED');
    assert.deepEqual(retryDelayOf(spent), { seconds: 0n, nanos: 500_000_000 });
    assert.equal(isFault(spent), false);
    // Of this client alone.
    assert.equal((await callerBy(way, token, '192.0.2.2'))?.name, 'alexa');
    // What is known needs no signature.
    assert.equal((await callerBy(way, token))?.name, 'alexa');
    nowMs += 500;
    assert.equal((await callerBy(way, await good()))?.name, 'alexa');
    await endsWith(Code.Unauthenticated, callerBy(way, await bad()));
    await endsWith(Code.ResourceExhausted, callerBy(way, await good()));
    // Clients beyond so many share one count.
    for (const client of ['192.0.2.3', '192.0.2.4', '192.0.2.5', '192.0.2.6']) {
      await endsWith(Code.Unauthenticated, callerBy(way, await bad(), client));
    }
    await endsWith(Code.ResourceExhausted, callerBy(way, await bad(), '192.0.2.7'));
    assert.equal((await callerBy(way, token, '192.0.2.7'))?.name, 'alexa');
  });

  it('count as large ones do that can never be valid; small ones of these cost nothing', async (t) => {
    const issuer = await startIssuer(t);
    const key = await issuer.add('one');
    const way = wayOf(issuer, { limits: { badJwtBurstPerClient: 2 } });
    const codes: unknown[] = [];
    for (const pad of ['', '', '', 'x'.repeat(3_000), 'y'.repeat(3_000), 'z'.repeat(3_000), '']) {
      const token = await issuer.sign(key, { pad, aud: 'https://other.example' });
      await callerBy(way, token).catch((error) => codes.push(reasonOf(error)));
    }
    const bad = 'BAD_CREDENTIALS';
    assert.deepEqual(codes, [bad, bad, bad, bad, bad, 'QUOTA_EXCEEDED', bad]);
    // Those that are valid take nothing.
    const large = await Promise.all(
      [1, 2, 3].map((jti) => issuer.sign(key, { jti, pad: 'x'.repeat(3_000) })),
    );
    for (const token of large) await callerBy(way, token, '192.0.2.2');
  });

  it('are counted while they are verified', async (t) => {
    const issuer = await startIssuer(t);
    const key = await issuer.add('one');
    const way = wayOf(issuer, { limits: { badJwtBurstPerClient: 5 } });
    const tokens = await Promise.all(Array.from({ length: 20 }, (_, jti) => issuer.sign(key, { jti })));
    const outcomes = await Promise.allSettled(
      tokens.map((token) => callerBy(way, token.replace(/[^.]+$/, 'A'.repeat(86)))),
    );
    const reasons = outcomes.map((it) => (it.status === 'rejected' ? reasonOf(it.reason) : 'none'));
    assert.deepEqual(reasons, [...Array(5).fill('BAD_CREDENTIALS'), ...Array(15).fill('QUOTA_EXCEEDED')]);
  });
});

function retryDelayOf(error: ConnectError): unknown {
  for (const it of error.details) {
    if ('desc' in it && it.desc === RetryInfoSchema && 'retryDelay' in it.value) return it.value.retryDelay;
  }
  return undefined;
}
