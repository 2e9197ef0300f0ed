// An issuer of tokens as a process of its own: it describes itself (OpenID Connect Discovery), shows its keys, and does
// what its test says at /control. It signs with node:crypto, not with what verifies.
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import http from 'node:http';
import { json } from 'node:stream/consumers';
import type { Behaviour, Order } from './issuer.ts';

interface Key {
  readonly kid: string | undefined;
  readonly algorithm: string;
  readonly privateKey: KeyObject;
  readonly jwk: object;
}

const keys = new Map<string, Key>();
const requests = { discovery: 0, keys: 0, elsewhere: 0 };
let behaviour: Behaviour = 'well';
/** Requests that are not answered until the behaviour changes. */
const waiting: (() => void)[] = [];

const server = http.createServer(async (request, response) => {
  const say = (value: unknown, status = 200) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(value));
  };
  if (request.url === '/control') {
    return say({ result: obey((await json(request)) as Order) }); // what a test sends
  }
  const isDiscovery = request.url === '/.well-known/openid-configuration';
  requests[isDiscovery ? 'discovery' : request.url === '/jwks' ? 'keys' : 'elsewhere'] += 1;
  if (behaviour === 'slow') await new Promise<void>((resolve) => waiting.push(resolve));
  const url = `http://127.0.0.1:${port()}`;
  switch (behaviour) {
    case 'away':
      return request.socket.destroy();
    case 'error':
      return say({ issuer: url, jwks_uri: `${url}/jwks`, keys: publicKeys() }, 503);
    case 'redirect':
      return response.writeHead(302, { location: `${url}/elsewhere` }).end();
    case 'large':
      return say({ issuer: url, jwks_uri: `${url}/jwks`, keys: publicKeys(), pad: 'x'.repeat(2 ** 20) });
    case 'text':
      return response.end('not JSON');
    case 'list':
      return say([]);
    case 'other issuer':
      return say({ issuer: `${url}/`, jwks_uri: `${url}/jwks`, keys: publicKeys() });
    case 'plain keys':
      return say({ issuer: url, jwks_uri: 'http://keys.example/jwks' });
    case 'no keys':
      return say({ issuer: url, jwks_uri: `${url}/jwks`, keys: [] });
    case 'many keys':
      return say({ issuer: url, jwks_uri: `${url}/jwks`, keys: Array(101).fill(publicKeys()[0]) });
    default:
      return say(isDiscovery ? { issuer: url, jwks_uri: `${url}/jwks` } : { keys: publicKeys() });
  }
});

function obey(order: Order): unknown {
  switch (order.do) {
    case 'add': {
      const { kid, name = kid ?? 'nameless', algorithm } = order;
      keys.set(name, makeKey(kid, algorithm));
      return name;
    }
    case 'remove':
      return keys.delete(order.name);
    case 'sign': {
      const key = keys.get(order.name);
      if (key === undefined) throw new Error(`no key ${order.name}`);
      return signed(key, order.claims, order.header);
    }
    case 'behave':
      behaviour = order.behaviour;
      for (const go of waiting.splice(0)) go();
      return undefined;
    case 'count':
      return requests;
  }
}

function makeKey(kid: string | undefined, algorithm: string): Key {
  const { publicKey, privateKey } =
    algorithm === 'RS256'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : algorithm === 'ES256'
        ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
        : generateKeyPairSync('ed25519');
  return { kid, algorithm, privateKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig' } };
}

function publicKeys(): object[] {
  // What it shows besides, as real ones do: keys for other uses and of other kinds, and broken ones.
  const others = [
    { kty: 'oct', k: 'c2VjcmV0' },
    { kty: 'EC', crv: 'P-521', kid: 'large' },
    { kty: 'RSA', n: '', e: '' },
    { kty: 'EC', crv: 'P-256', key_ops: 5 },
    { kty: 'OKP', crv: 'Ed25519', use: 'enc' },
  ];
  return [...[...keys.values()].map(({ jwk }) => jwk), ...others];
}

function signed({ kid, algorithm, privateKey }: Key, claims: object, header: object): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const input = `${encode({ alg: algorithm, kid, typ: 'JWT', ...header })}.${encode(claims)}`;
  const key = { key: privateKey, dsaEncoding: 'ieee-p1363' } as const;
  const signature = sign(algorithm === 'EdDSA' ? null : 'sha256', Buffer.from(input), key);
  return `${input}.${signature.toString('base64url')}`;
}

function port(): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () => console.log(port()));
