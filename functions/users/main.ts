import { createClient, createRouterTransport } from '@connectrpc/connect';
import type { Logger } from 'pino';
import { Users } from '../../proto/gen/users_pb.js';
import { logFaults } from '../rpc/call/fault-log.ts';
import { RpcServer } from '../rpc/server.ts';
import { createUsersHandler } from '../web/users.ts';
import { banner } from './banner.ts';
import { readConfig } from './config.ts';
import { explain } from './explain.ts';
import { createLog } from './log.ts';
import { addSamples } from './samples.ts';
import { createUsersService } from './service.ts';
import { openStore } from './stores/registry.ts';
import { readTls, tlsProblems } from './tls.ts';

/** Two signals closer than this are one: Ctrl-C reaches a watched process twice. */
const sameSignalMs = 200;

/** What a signal ends. */
interface Running {
  readonly log: Logger;
  readonly stop: (signal: string) => Promise<void>;
}

let running: Running | undefined;
let stoppedAtMs: number | undefined;
// Before all else: without a handler a signal does nothing to process 1, which this is in a container
// (https://man7.org/linux/man-pages/man7/pid_namespaces.7.html).
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => onSignal(signal));
running = await start().catch(fail);

function onSignal(signal: string): void {
  if (running === undefined) process.exit(0);
  if (stoppedAtMs === undefined) {
    stoppedAtMs = performance.now();
    running.stop(signal).catch(fail);
  } else if (performance.now() - stoppedAtMs > sameSignalMs) {
    running.log.warn({ signal }, 'ended at once by a second signal');
    process.exit(1);
  }
}

/** Composes the Users function from its settings, and says how it is ended once it listens. */
async function start(): Promise<Running> {
  const config = readConfig(process.env, tlsProblems);
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
    tls: config.tls && readTls(config.tls),
    corsOrigins: config.corsOrigins,
    http: createUsersHandler(local, config.limits),
  });
  if (config.samples) await addSamples(local);
  const address = await server.listen({ host: config.host, port: config.port });
  if (config.log.format === 'pretty') console.log(banner(config, address));
  else log.info({ host: address.address, port: address.port, store: config.store.kind }, 'listening');

  return {
    log,
    async stop(signal) {
      log.info({ signal }, 'draining');
      await server.drain();
      await store.close();
      log.info({}, 'drained');
      process.exit(0);
    },
  };
}

function fail(error: unknown): never {
  console.error(explain(error, process.env));
  process.exit(1);
}
