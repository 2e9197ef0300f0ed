// Proves that with keys no way into a server goes round them: every protocol and version of HTTP refuses who shows
// none, a wrong one, or one without the scope, in its own words and before the body is parsed; and lets in who has it.
// Health stays open, reflection follows its setting, calls from within the process are those of their caller, and a
// method that is missing in the table of scopes keeps the server from starting.
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { Code } from '@connectrpc/connect';
import {
  type AuthOptions,
  apiKeyWay,
  callerOf,
  RpcServer,
  type ScopeTable,
} from '../../../functions/rpc/index.ts';
import { ErrorInfoSchema } from '../../../proto/gen/google/rpc/error_details_pb.js';
import { endsWith } from '../../support/outcome.ts';
import { nameOf, wires } from '../../support/transports.ts';
import { echoOf } from '../echo.ts';
import { Echo } from '../gen/echo_pb.js';
import { assertRefused, callAll, isCheck, serveWaysIn, type WayIn, waysIn } from '../ways-in.ts';
import { bearer, keyOf } from './keys.ts';

const noCredential = 'the call needs a credential: authorization: Bearer, with a key or token';
const badCredential = 'the credential is not valid here';
const missingScope = 'the caller has not the scope that the method needs: echo.call';

const scopes: ScopeTable = {
  ...Object.fromEntries(Echo.methods.map((it) => [`/${Echo.typeName}/${it.name}`, ['echo.call']])),
  '/here': [],
};
const ways = [
  apiKeyWay([
    keyOf('good', 'tom', ['echo.call']),
    keyOf('new', 'tom', ['echo.call']),
    keyOf('all', 'root', ['*']),
    keyOf('poor', 'eve', ['echo.other']),
  ]),
];

const serveClosed = (t: TestContext, options: Partial<AuthOptions> = {}, rest = {}) =>
  serveWaysIn(t, {
    auth: { scopes, ways, ...options },
    answer: ({ values }) => callerOf({ values })?.id ?? 'nobody',
    ...rest,
  });

const isHealth = ({ path }: WayIn) => isCheck(path) || path.startsWith('/grpc.health.');
const isReflection = ({ path }: WayIn) => path.startsWith('/grpc.reflection.');
const isClosed = (way: WayIn) => !isHealth(way) && way.protocol !== 'local';
const closedWays = waysIn.filter(isClosed);

for (const [what, headers, text] of [
  ['no credential', {}, noCredential],
  ['a key that is none', bearer('bad'), badCredential],
  ['another scheme', { authorization: 'Basic Z29vZA==' }, noCredential],
  ['an empty key', { authorization: 'Bearer ' }, noCredential],
] as const) {
  it(`refuses whoever shows ${what}, before the body is parsed`, async (t) => {
    const serving = await serveClosed(t);
    for (const { way, outcome } of await callAll(serving, closedWays, true, headers)) {
      assertRefused(way, outcome, Code.Unauthenticated, text);
    }
    assert.deepEqual(serving.calls, []);
    for (const { caller } of serving.lines) assert.equal(caller, undefined);
  });
}

it('refuses a caller without the scope, and names it; the log names the caller', async (t) => {
  const serving = await serveClosed(t);
  const refused = closedWays.filter((way) => !isReflection(way));
  for (const { way, outcome } of await callAll(serving, refused, true, bearer('poor'))) {
    assertRefused(way, outcome, Code.PermissionDenied, missingScope);
  }
  assert.deepEqual(serving.calls, []);
  await serving.line(() => serving.lines.length >= refused.length);
  for (const { caller } of serving.lines) assert.equal(caller, 'key:eve');
});

describe('lets a caller in', () => {
  for (const [word, id] of [
    ['good', 'key:tom'],
    ['new', 'key:tom'],
    ['all', 'key:root'],
  ] as const) {
    it(`with the key "${word}": handlers, the log and calls made on its behalf know ${id}`, async (t) => {
      const serving = await serveClosed(t);
      const open = waysIn.filter((way) => way.hasEnd && isClosed(way));
      for (const { way, outcome } of await callAll(serving, open, false, bearer(word))) {
        if (way.isEcho || way.path === '/here')
          assert.ok(outcome.said.includes(id), `${way.name}: ${outcome.said}`);
        else assert.equal(outcome.status, '0', way.name);
      }
      await serving.line(() => serving.lines.length >= open.length);
      for (const { caller } of serving.lines) assert.equal(caller, id);
    });
  }

  it('without a key where it comes from within the process, or asks for health', async (t) => {
    const serving = await serveClosed(t);
    const open = waysIn.filter((way) => way.hasEnd && !isClosed(way));
    for (const { way, outcome } of await callAll(serving, open)) {
      if (way.protocol === 'local') assert.ok(outcome.said.includes('nobody'), way.name);
      else if (way.isMethod) assert.equal(outcome.status, '0', way.name);
      else assert.equal(outcome.said, way.path === '/readyz' ? 'READY\n' : 'SERVING\n', way.name);
    }
  });
});

it('lets everybody ask by reflection where that is open', async (t) => {
  const serving = await serveClosed(t, { isReflectionOpen: true });
  for (const { way, outcome } of await callAll(serving, waysIn.filter(isReflection))) {
    assert.equal(outcome.status, '0', way.name);
  }
});

for (const wire of wires) {
  it(`programs read the reason and the scope over ${nameOf(wire)}`, async (t) => {
    const serving = await serveClosed(t);
    const echo = echoOf(serving, wire);
    const infoOf = async (headers: Record<string, string>, code: Code) => {
      const error = await endsWith(code, echo.unary({}, { headers }));
      const [{ reason, domain, metadata } = {}] = error.findDetails(ErrorInfoSchema);
      return [reason, domain, metadata];
    };
    assert.deepEqual(await infoOf({}, Code.Unauthenticated), ['NO_CREDENTIALS', 'rpc', {}]);
    assert.deepEqual(await infoOf(bearer('bad'), Code.Unauthenticated), ['BAD_CREDENTIALS', 'rpc', {}]);
    const scope = { scope: 'echo.call' };
    assert.deepEqual(await infoOf(bearer('poor'), Code.PermissionDenied), ['MISSING_SCOPE', 'rpc', scope]);
  });
}

it('says by WWW-Authenticate how to come in, where HTTP shows it', async (t) => {
  const serving = await serveClosed(t);
  const post = { method: 'POST', body: '{}' };
  const headers = { connection: 'close', 'content-type': 'application/json' };
  const ask = async (path: string, init: RequestInit, word?: string) => {
    const shown = word === undefined ? headers : { ...headers, ...bearer(word) };
    const answer = await fetch(serving.url + path, { ...init, headers: shown });
    await answer.text();
    return [answer.status, answer.headers.get('www-authenticate')];
  };
  for (const [path, init] of [
    ['/test.echo.v1.Echo/Unary', post],
    ['/here', {}],
  ] as const) {
    assert.deepEqual(await ask(path, init), [401, 'Bearer']);
    assert.deepEqual(await ask(path, init, 'bad'), [401, 'Bearer error="invalid_token"']);
    const lacking = 'Bearer error="insufficient_scope", scope="echo.call"';
    assert.deepEqual(await ask(path, init, 'poor'), [403, lacking]);
    assert.deepEqual(await ask(path, init, 'good'), [200, null]);
  }
});

it('answers preflight requests of browsers, which carry no credentials', async (t) => {
  const origin = 'https://example.com';
  const serving = await serveClosed(t, {}, { corsOrigins: [origin] });
  const answer = await fetch(`${serving.url}/test.echo.v1.Echo/Unary`, {
    method: 'OPTIONS',
    headers: {
      connection: 'close',
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,content-type',
    },
  });
  assert.equal(answer.status, 204);
  assert.equal(answer.headers.get('access-control-allow-headers'), 'authorization,content-type');
});

it('does not start with a method or path that is missing in the table', () => {
  const { '/test.echo.v1.Echo/Unary': _, '/here': __, ...rest } = scopes;
  const resource = {
    paths: ['/here'],
    methods: ['GET'],
    headers: [],
    answer: async () => {},
    errorText: () => '',
  };
  // Where everybody may call, too: the day that keys come, it would be open or closed by accident.
  for (const some of [ways, []]) {
    assert.throws(
      () =>
        new RpcServer({
          routes: (router) => router.service(Echo, {}),
          auth: { scopes: rest, ways: some },
          http: () => [resource],
        }),
      { message: 'no scopes are given for /test.echo.v1.Echo/Unary, /here' },
    );
  }
});
