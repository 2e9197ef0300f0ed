// Proves that a web page which rebinds its own name to this machine can't call a server that is open because it is this
// machine's alone: requests for another host are refused, whatever they ask for and by HTTP/1.1 and HTTP/2; that all
// names of the machine are taken; and that the gate stands where everybody may call at a loopback address, and nowhere
// else.
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { hostname } from 'node:os';
import { describe, it } from 'node:test';
import { localHostsOnly, pageGate } from '../../functions/process/local-hosts.ts';
import type { Environment } from '../../functions/process/settings.ts';
import { readConfig } from '../../functions/users/config.ts';
import { requestOf } from '../rpc/auth/request.ts';
import { runMain } from '../support/process.ts';
import { requestHttp1, requestHttp2 } from '../support/raw-request.ts';

const key = 'usk_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG';
const refused = /"the request is for another host than this machine"/;

describe('the gate', () => {
  const gate = localHostsOnly();
  const local = [
    'localhost',
    'LocalHost:50051',
    'a.localhost:1',
    '127.0.0.1',
    '127.0.0.1:50051',
    '10.1.2.3:1',
  ];
  for (const host of [
    ...local,
    '[::1]',
    '[::1]:50051',
    hostname(),
    `${hostname().toUpperCase()}:1`,
    '',
    ':1',
  ]) {
    it(`lets in ${host || 'an empty host'}`, () => {
      for (const name of [':authority', 'host']) gate(requestOf({ headers: { [name]: host } }));
    });
  }
  it('lets in what names no host, and what comes from within', () => {
    gate(requestOf({}));
    gate({ ...requestOf({ headers: { host: 'page.example' } }), protocol: 'local' });
  });

  const foreign = [
    'page.example',
    'page.example:50051',
    'localhost.page.example',
    'xlocalhost',
    '127.0.0.1.nip.example',
  ];
  for (const host of [
    ...foreign,
    '127.0.0.1.',
    '[::1].example',
    '::1',
    '[127.0.0.1]',
    `${hostname()}.page.example`,
  ]) {
    it(`refuses ${host}, also after a good one`, () => {
      for (const name of [':authority', 'host']) {
        gate(requestOf({ headers: { host: 'localhost' } }));
        for (let time = 0; time < 2; time++) {
          const request = requestOf({ headers: { [name]: host } });
          assert.throws(() => gate(request), /for another host than this machine/);
        }
      }
    });
  }
});

describe('it stands', () => {
  const stands = (env: Environment) => pageGate(readConfig(env)) !== undefined;
  for (const env of [{}, { HOST: 'localhost' }, { HOST: '::1' }, { AUTH: 'none' }]) {
    it(`with ${JSON.stringify(env)}`, () => assert.ok(stands(env)));
  }
  for (const env of [
    { API_KEY: key },
    { HOST: 'unix:/a' },
    { HOST: '0.0.0.0', AUTH: 'none' },
    { AUTH: 'none', TRUSTED_PROXIES: '1' },
  ]) {
    it(`not with ${Object.keys(env)}`, () => assert.ok(!stands(env)));
  }
});

it('an open process refuses a page, at its methods and at /users/', async (t) => {
  const url = await runMain(t, {}).url();
  const session = http2.connect(url);
  t.after(() => session.destroy());
  const create = { path: '/Users/CreateUser', headers: { 'content-type': 'application/json' } };
  for (const request of [create, { method: 'GET', path: '/users/', headers: {} }]) {
    for (const [host, status] of [
      ['page.example:50051', 403],
      ['localhost:50051', 200],
    ] as const) {
      const { headers } = request;
      for (const exchange of [
        requestHttp1(url, { ...request, headers: { ...headers, host } }),
        requestHttp2(session, { ...request, headers: { ...headers, ':authority': host } }),
      ]) {
        exchange.request.end(request === create ? `{"username":"${crypto.randomUUID()}"}` : undefined);
        exchange.read();
        await exchange.ended;
        assert.equal(exchange.status, status, String(exchange.body));
        if (status === 403) assert.match(String(exchange.body), refused);
      }
    }
  }
});
