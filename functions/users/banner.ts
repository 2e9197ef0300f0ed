import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { type AuthKind, authKinds } from '../process/auth-settings.ts';
import type { Config } from './config.ts';

/** Whether the sources run: only where they are, there is a command line to try. */
const isSource = import.meta.filename.endsWith('.ts');

/** Hosts that stand for all addresses of the machine, and the one of them that clients on it use. */
const loopback: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

/**
 * Tells a person who has started the server where it listens, where it keeps users, who may call, and what to try.
 *
 * @param admin where the admin port listens. Default: there is none
 * @param hasCli whether to name our own commands too. Default: where the sources run
 */
export function banner(
  config: Config,
  { port }: Pick<AddressInfo, 'port'>,
  admin?: Pick<AddressInfo, 'address' | 'port'>,
  hasCli: boolean = isSource,
): string {
  const { host, tls } = config;
  const url = urlOf(config, port);
  const place = host in loopback ? `all addresses, port ${port}` : url;
  const encrypted = tls ? ', with TLS' : '';
  const more: string[] = [];
  if (admin !== undefined) {
    more.push(`    admin port   ${plainUrl(admin.address, admin.port)}   (metrics, readiness, log level)\n`);
  }
  // Browsers know no sockets of the machine.
  if (config.hasConsole && !host.startsWith('unix:')) {
    more.push(`    in browsers  open ${url}/   (try every method, see every call)\n`);
  }
  return `
  Users service
    listens at   ${place}   (gRPC, gRPC-Web, Connect${encrypted})
    keeps users  ${storePlace(config.store)}
    open to      ${callers(config)}
${more.join('')}
  Try, in another terminal:
${commands(config, url, hasCli)
  .map((line) => `    ${line}\n`)
  .join('')}`;
}

const callersOf: Readonly<Record<AuthKind, string>> = {
  keys: 'callers with an API key',
  jwt: 'callers with a token of the issuer',
  certificates: 'clients with a certificate',
};

function callers({ auth, tls }: Config): string {
  const known = authKinds(auth).map((it) => callersOf[it]);
  const isBesides = tls?.clientCaFile !== undefined && auth.certificates === undefined;
  const text = known.join(', or ') || 'everybody: no credential is needed';
  return isBesides ? `${text}; the connection needs a certificate besides` : text;
}

/** Where the caller keeps what it must show: the file is named, its content is not to be seen. */
function credentialFile({ keys, tokens }: Config['auth']): string | undefined {
  if (keys.length > 0) return 'key.txt';
  return tokens === undefined ? undefined : 'token.txt';
}

function commands({ tls, auth }: Config, url: string, hasCli: boolean): string[] {
  const isDefault = url === 'http://127.0.0.1:50051';
  const endpoint = isDefault ? '' : ` --endpoint ${quoted(url)}`;
  // Other programs need the name of a host, too, where the socket is one of this machine.
  const isUnix = url.startsWith('unix:');
  const socket = isUnix ? ` --unix-socket ${quoted(url.slice('unix:'.length))}` : '';
  const base = isUnix ? `${tls ? 'https' : 'http'}://localhost` : url;
  // A certificate that has signed itself is its own authority. For any other, the file of its authority stands there.
  const trust = (option: string) => (tls ? ` ${option} ${quoted(resolve(tls.certFile))}` : '');
  // Whoever serves known clients alone has such a certificate.
  const own = tls?.clientCaFile ? ' --cert CLIENT.pem --key CLIENT-KEY.pem' : '';
  const file = credentialFile(auth);
  const bearer = file === undefined ? '' : ` -H "authorization: Bearer $(cat ${file})"`;
  const cli = trust('--ca') + own + (file === undefined ? '' : ` --token-file ${file}`) + endpoint;
  // buf asks by reflection first, which needs the credential too.
  const reflect = bearer === '' || auth.isReflectionOpen ? '' : " --reflect-header '*'";
  const curl = socket + trust('--cacert') + own + bearer;
  const priorKnowledge = tls ? '' : ' --http2-prior-knowledge';
  const signUp = `curl${curl} -w '\\n' -H 'content-type: application/json' -d '{"username":"jerry"}' ${quoted(`${base}/Users/CreateUser`)}`;
  const show = `curl${curl} -N ${quoted(`${base}/users/`)}`;
  if (!hasCli) return [signUp, show];
  return [
    `cd ${quoted(process.cwd())}`,
    `npx users create tom --metadata ip=127.0.0.1${cli}`,
    `npx users get alexa christie tom nobody${cli}`,
    signUp,
    `npx buf curl${curl}${reflect}${priorKnowledge} --protocol grpc -d '{"user":[{"username":"alexa"}]}' ${quoted(`${base}/Users/GetUsers`)}`,
    show,
  ];
}

/** Spaces part words, and some shells take brackets for a pattern. */
function quoted(text: string): string {
  return /[^\w./:\\-]/.test(text) ? `'${text.replaceAll("'", "'\\''")}'` : text;
}

/** Where clients on this machine reach the server. */
function urlOf({ host, tls }: Config, port: number): string {
  if (host.startsWith('unix:')) return host;
  const url = plainUrl(host, port);
  return tls ? url.replace('http:', 'https:') : url;
}

function plainUrl(host: string, port: number): string {
  const name = loopback[host] ?? host;
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`;
}

function storePlace(store: Config['store']): string {
  switch (store.kind) {
    case 'memory':
      return 'in memory, until it ends';
    case 'sqlite':
      return `in ${resolve(store.dataFolder, 'users.sqlite')}`;
    case 'dynamodb':
      return `in the DynamoDB table ${store.table}`;
  }
}
