import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import type { Config } from './config.ts';

/** Tells a person who has started the server where it listens, where it keeps users, and what to try. */
export function banner(config: Config, { port }: Pick<AddressInfo, 'port'>): string {
  const host = config.host === '0.0.0.0' ? '127.0.0.1' : config.host;
  const url = `${config.tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
  const isDefault = url === 'http://127.0.0.1:50051';
  const endpoint = isDefault ? '' : ` --endpoint ${url}`;
  const priorKnowledge = config.tls ? '' : ' --http2-prior-knowledge';
  return `
  Users service
    listens at   ${url}   (gRPC, gRPC-Web, Connect)
    keeps users  ${storePlace(config.store)}

  Try, in another terminal:
    npx users create tom --metadata ip=127.0.0.1${endpoint}
    npx users get alexa christie tom nobody${endpoint}
    curl -H 'content-type: application/json' -d '{"username":"jerry"}' ${url}/Users/CreateUser
    npx buf curl${priorKnowledge} --protocol grpc -d '{"user":[{"username":"alexa"}]}' ${url}/Users/GetUsers
    curl -N ${url}/users/
`;
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
