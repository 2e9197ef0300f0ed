// A service that is not Users, composed of functions/process and functions/rpc alone. `ECHO_GREETING` is a setting of
// its own; `ECHO_START=hang` never gets to listen, and `ECHO_START=mend` can't, which a person can mend, nor can it
// while there is a file at `ECHO_HINDRANCE`. The request `exit` ends the process with code 7. A client stream is under
// way for as long as its client wants, and is answered with the number of the process. A server stream is silent.
import { existsSync } from 'node:fs';
import { homeEnvironment } from '../../functions/process/home.ts';
import { readLimits } from '../../functions/process/limit-settings.ts';
import { createLog } from '../../functions/process/log.ts';
import { readServerSettings } from '../../functions/process/server-settings.ts';
import { Settings } from '../../functions/process/settings.ts';
import type { Running } from '../../functions/process/signals.ts';
import { describeStartFailure } from '../../functions/process/start-failure.ts';
import { readTls, tlsProblems } from '../../functions/process/tls-files.ts';
import { runWorkersUntilSignal } from '../../functions/process/workers.ts';
import { rpcLimitRanges, rpcLimits } from '../../functions/rpc/limits.ts';
import { RpcServer } from '../../functions/rpc/server.ts';
import { Echo } from '../rpc/gen/echo_pb.js';

class GreetingError extends Error {}

await runWorkersUntilSignal(start, (error) => describeStartFailure(error, process.env, [GreetingError]));

async function start(): Promise<Running> {
  const settings = new Settings(await homeEnvironment(process.env));
  const { host, port, tls, corsOrigins, trustedProxies, requestIdHeader, ...config } = readServerSettings(
    settings,
    tlsProblems,
  );
  const limits = readLimits(settings, rpcLimits, rpcLimitRanges);
  const greeting = settings.text('ECHO_GREETING') ?? 'hello';
  const mood = settings.choice('ECHO_START', ['well', 'hang', 'mend', 'fault'], 'well');
  const hindrance = settings.text('ECHO_HINDRANCE');
  settings.check();
  const log = await createLog(config.log);
  if (mood === 'hang') {
    process.stdout.write('{"msg":"starting"}\n');
    setInterval(() => {}, 1_000);
    await new Promise(() => {});
  }
  if (mood === 'mend' || (hindrance && existsSync(hindrance)))
    throw new GreetingError('ECHO_GREETING must be kind');
  if (mood === 'fault') throw new TypeError('a fault of ours');
  const server = new RpcServer({
    routes: (router) =>
      router.service(Echo, {
        async unary({ text, hang }) {
          if (text === 'exit') process.exit(7);
          if (hang) {
            log.info({}, 'hanging');
            await new Promise(() => {});
          }
          return { text: `${greeting} ${text}` };
        },
        async *serverStream() {
          log.info({}, 'streaming');
          await new Promise(() => {});
        },
        async clientStream(requests) {
          for await (const { text } of requests) log.info({}, text);
          return { text: String(process.pid) };
        },
      }),
    limits,
    log,
    tls: tls && readTls(tls),
    corsOrigins,
    trustedProxies,
    requestIdHeader,
  });
  const address = await server.listen({ host, port });
  log.info({ port: address.port || undefined, pid: process.pid }, 'listening');
  return {
    log,
    async stop() {
      await server.drain();
      if (greeting === 'stuck') throw new GreetingError('ECHO_GREETING must let it end');
    },
  };
}
