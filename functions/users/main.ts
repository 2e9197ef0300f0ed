import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createClient, createRouterTransport } from '@connectrpc/connect';
import { Users } from '../../proto/gen/users_pb.js';
import { logFaults } from '../rpc/fault-log.ts';
import { RpcServer } from '../rpc/server.ts';
import { createUsersHandler } from '../web/users.ts';
import { banner } from './banner.ts';
import { type Config, ConfigError, readConfig, type StoreConfig } from './config.ts';
import { createLog } from './log.ts';
import { addSamples } from './samples.ts';
import { createUsersService } from './service.ts';
import { StoreError, type UserStore } from './store.ts';

/** Two signals closer than this are one: Ctrl-C reaches a watched process twice. */
const sameSignalMs = 200;

await start().catch(fail);

/** Composes the Users function from its settings and runs it until a signal ends it. */
async function start(): Promise<void> {
  const config = readConfig(process.env);
  const log = await createLog(config.log);
  const store = await openStore(config.store, config.limits);
  const users = createUsersService({ store, limits: config.limits });
  const local = createClient(
    Users,
    createRouterTransport((router) => router.service(Users, users), {
      router: { interceptors: [logFaults(log)] },
    }),
  );
  const server = new RpcServer({
    routes: (router) => router.service(Users, users),
    keepsMessages: true,
    limits: config.limits,
    log,
    logMetadata: config.log.format === 'pretty' ? 'values' : 'keys',
    tls: readTls(config.tls),
    corsOrigins: config.corsOrigins,
    http: createUsersHandler(local, config.limits),
  });
  if (config.samples) await addSamples(local);
  const address = await server.listen({ host: config.host, port: config.port });
  if (config.log.format === 'pretty') console.log(banner(config, address));
  else log.info({ host: address.address, port: address.port, store: config.store.kind }, 'listening');

  const stop = async (signal: string) => {
    log.info({ signal }, 'draining');
    await server.drain();
    await store.close();
    log.info({}, 'drained');
    process.exit(0);
  };
  let stoppedAtMs: number | undefined;
  for (const signal of ['SIGTERM', 'SIGINT']) {
    process.on(signal, () => {
      if (stoppedAtMs === undefined) {
        stoppedAtMs = performance.now();
        stop(signal).catch(fail);
      } else if (performance.now() - stoppedAtMs > sameSignalMs) {
        log.warn({ signal }, 'ended at once by a second signal');
        process.exit(1);
      }
    });
  }
}

/** The stores are loaded when they are wanted: the AWS SDK alone takes longer to load than all the rest. */
async function openStore(store: StoreConfig, limits: Config['limits']): Promise<UserStore> {
  switch (store.kind) {
    case 'memory':
      return (await import('./stores/memory.ts')).memoryStore({ limits });
    case 'sqlite':
      return (await import('./stores/sqlite.ts')).openSqliteStore({
        path: join(store.dataFolder, 'users.sqlite'),
        limits,
      });
    case 'dynamodb': {
      const { openDynamoStore } = await import('./stores/dynamodb.ts');
      return openDynamoStore({ table: store.table, endpoint: store.endpoint, limits });
    }
  }
}

function readTls(tls: Config['tls']) {
  if (tls === undefined) return undefined;
  return {
    cert: readFileSync(tls.certFile, 'utf8'),
    key: readFileSync(tls.keyFile, 'utf8'),
    clientCa: tls.clientCaFile === undefined ? undefined : readFileSync(tls.clientCaFile, 'utf8'),
  };
}

/** Says in one line what is wrong, where a person can mend it; anything else is a fault of ours, with its stack. */
function fail(error: unknown): never {
  console.error(explain(error));
  process.exit(1);
}

function explain(error: unknown): unknown {
  if (error instanceof ConfigError || error instanceof StoreError) return error.message;
  if (!(error instanceof Error && 'code' in error)) return error;
  const { HOST = '127.0.0.1', PORT = '50051' } = process.env;
  if (String(error.code).startsWith('ERR_OSSL_')) {
    return `The files of TLS_CERT_FILE, TLS_KEY_FILE or TLS_CLIENT_CA_FILE can't be used: ${error.message}.`;
  }
  switch (error.code) {
    case 'EADDRINUSE':
      return `The port ${PORT} of ${HOST} is in use: end the program that listens there, or set PORT.`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `${HOST} is not an address of this machine: set HOST.`;
    case 'EACCES':
    case 'EISDIR':
    case 'ENOENT':
      return `${error.message}: see TLS_CERT_FILE, TLS_KEY_FILE and TLS_CLIENT_CA_FILE.`;
    default:
      return error;
  }
}
