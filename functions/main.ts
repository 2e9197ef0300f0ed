import { createClient } from '@connectrpc/connect';
import { Users } from '../proto/gen/users_pb.js';
import { authKinds } from './process/auth-settings.ts';
import { authWays } from './process/auth-ways.ts';
import { buildInfo } from './process/build-info.ts';
import { homeEnvironment } from './process/home.ts';
import { pageGate } from './process/local-hosts.ts';
import { createLog } from './process/log.ts';
import { keepNewObjectsYoung, memoryLimitBytes } from './process/memory.ts';
import { openAdminPort } from './process/open-admin.ts';
import { startTelemetry } from './process/otlp/telemetry.ts';
import { watchRuntime } from './process/runtime-metrics.ts';
import type { Running } from './process/signals.ts';
import { describeStartFailure } from './process/start-failure.ts';
import { readTls, tlsProblems } from './process/tls-files.ts';
import { renewTlsFrom } from './process/tls-renewal.ts';
import { isFirstWorker } from './process/worker.ts';
import { runWorkersUntilSignal } from './process/workers.ts';
import { Metrics, RpcServer, shareOf } from './rpc/index.ts';
import { banner } from './users/banner.ts';
import { readConfig } from './users/config.ts';
import { Readiness } from './users/readiness.ts';
import { addSamples } from './users/samples.ts';
import { scopesWhere } from './users/scopes.ts';
import { createUsersService } from './users/service.ts';
import { StoreError } from './users/store.ts';
import { limitedStore } from './users/store-limit.ts';
import { storeMetrics } from './users/store-metrics.ts';
import { tracedEvents } from './users/store-trace.ts';
import { watchedStore } from './users/store-watch.ts';
import { openStore } from './users/stores/registry.ts';
import { elementLimits } from './users/validation.ts';
import { frontResource } from './web/front.ts';
import { usersResource } from './web/users.ts';

const describe = (error: unknown) => describeStartFailure(error, process.env, [StoreError]);
await runWorkersUntilSignal(start, describe);

/** Composes the Users function from its settings, and says how it is ended once it listens. */
async function start(): Promise<Running> {
  const config = readConfig(await homeEnvironment(process.env), tlsProblems);
  const log = await createLog(config.log);
  for (const slip of config.slips) log.warn(slip);
  if (config.http2Engine === 'node') {
    log.warn('HTTP2_ENGINE=node goes with the next release: tell us what our own engine does wrong');
  }
  const metrics = new Metrics();
  const isCollected = config.admin !== undefined || config.telemetry.otlp !== undefined;
  // Counting takes some 2 µs of a call, and the runtime's timer wakes the process a hundred times a second.
  const isCounted = isCollected || config.hasConsole;
  const runtime = isCollected
    ? watchRuntime(metrics, { 'service.name': 'users', ...buildInfo() })
    : undefined;
  const admin = await openAdminPort(config.admin, { metrics, log, limits: config.limits });
  const telemetry = await startTelemetry(config.telemetry, config.limits, metrics, log);
  const ways = await authWays(config.auth, config.limits, log);
  const measured = storeMetrics(metrics);
  const opened = await openStore(
    config.store,
    config.limits,
    tracedEvents(measured),
    (line) => log.warn(line),
    (error) => {
      console.error(describe(error));
      process.exit(1);
    },
  );
  const readiness = new Readiness({ store: opened, limits: config.limits, log });
  const watched = watchedStore(opened, [...(isCounted ? [measured.of(opened.system)] : []), readiness]);
  const store = limitedStore(watched, config.limits);
  const users = createUsersService({ store, limits: config.limits, clientOf: shareOf, metrics });
  if (config.samples) await addSamples(users);
  const scopes = scopesWhere(config.auth.isReflectionOpen);
  // Its code is loaded only where it is on.
  const page = config.hasConsole
    ? (await import('./users/console.ts')).usersConsole({ storeKind: opened.system, metrics })
    : undefined;
  // What is behind a proxy that proves itself is no page's.
  const proof = config.originProof
    ? (await import('./process/origin-proof.ts')).originProof(config.originProof)
    : undefined;
  const server = new RpcServer({
    routes: (router) => router.service(Users, users),
    auth: { scopes, ways, isReflectionOpen: config.auth.isReflectionOpen },
    gate: proof?.gate ?? pageGate(config),
    elementLimits: elementLimits(config.limits),
    keepsMessages: true,
    limits: config.limits,
    log,
    telemetry: {
      metrics: isCounted ? metrics : undefined,
      // For those who look at the console alone, nothing is recorded to be sent.
      tracing: telemetry.tracing ?? (page && { ...config.telemetry.tracing, ratio: 0 }),
      observers: [...telemetry.observers, ...(page?.observers ?? [])],
    },
    logMetadata: config.log.format === 'pretty' ? 'values' : 'keys',
    tls: config.tls && readTls(config.tls),
    corsOrigins: config.corsOrigins,
    trustedProxies: config.trustedProxies,
    isFromProxies: proof?.isFromProxies,
    requestIdHeader: config.requestIdHeader,
    http2Engine: config.http2Engine,
    http: (local, facts) => [
      usersResource(createClient(Users, local)),
      ...(page?.resources(facts) ?? [frontResource()]),
    ],
  });
  readiness.follow((isReady, reason) => server.health.set(Users.typeName, isReady, reason));
  renewTlsFrom(config.tls, (tls) => server.renewTls(tls), log);
  const address = await server.listen({ host: config.host, port: config.port });
  keepNewObjectsYoung();
  admin?.show(server.health);
  if (config.log.format === 'pretty') {
    if (isFirstWorker) console.log(banner(config, address, admin?.address));
  } else {
    const memoryMiB = Math.round(memoryLimitBytes() / 2 ** 20);
    // A socket of this machine has none.
    const port = address.port || undefined;
    const adminPort = admin?.address.port;
    const auth = authKinds(config.auth).join() || 'open';
    log.info(
      {
        pid: process.pid,
        host: address.address,
        port,
        adminPort,
        auth,
        store: config.store.kind,
        memoryMiB,
        compiled: process.env.BUILD_COMPILED === '1' || undefined,
        // Ours is no news.
        http2Engine: config.http2Engine === 'own' ? undefined : config.http2Engine,
      },
      'listening',
    );
  }

  return {
    log,
    async stop() {
      await server.drain();
      page?.close();
      readiness.close();
      await telemetry.close();
      await store.close();
      await admin?.close();
      runtime?.close();
    },
  };
}
