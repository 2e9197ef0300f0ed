import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import type { Config } from './config.ts';

/** Tells a person who has started the server where it listens, where it keeps users, and what to try. */
export function banner(config: Config, { port }: Pick<AddressInfo, 'port'>): string {
  const url = urlOf(config, port);
  // Some shells take brackets for a pattern.
  const quoted = (text: string) => (text.includes('[') ? `'${text}'` : text);
  const isDefault = url === 'http://127.0.0.1:50051';
  const endpoint = isDefault ? '' : ` --endpoint ${quoted(url)}`;
  // Other programs need the name of a host, too, where the socket is one of this machine.
  const isUnix = url.startsWith('unix:');
  const socket = isUnix ? ` --unix-socket ${url.slice('unix:'.length)}` : '';
  const base = isUnix ? `${config.tls ? 'https' : 'http'}://localhost` : url;
  const priorKnowledge = config.tls ? '' : ' --http2-prior-knowledge';
  return `
  Users service
    listens at   ${url}   (gRPC, gRPC-Web, Connect)
    keeps users  ${storePlace(config.store)}

  Try, in another terminal:
    cd ${process.cwd()}
    npx users create tom --metadata ip=127.0.0.1${endpoint}
    npx users get alexa christie tom nobody${endpoint}
    curl${socket} -H 'content-type: application/json' -d '{"username":"jerry"}' ${quoted(`${base}/Users/CreateUser`)}
    npx buf curl${socket}${priorKnowledge} --protocol grpc -d '{"user":[{"username":"alexa"}]}' ${quoted(`${base}/Users/GetUsers`)}
    curl${socket} -N ${quoted(`${base}/users/`)}
`;
}

/** Where clients on this machine reach the server. */
function urlOf({ host, tls }: Config, port: number): string {
  if (host.startsWith('unix:')) return host;
  const name = { '0.0.0.0': '127.0.0.1', '::': '::1' }[host] ?? host;
  return `${tls ? 'https' : 'http'}://${name.includes(':') ? `[${name}]` : name}:${port}`;
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
