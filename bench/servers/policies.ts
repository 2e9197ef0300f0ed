// Ours with the policies that POLICIES names, and none besides: to see what each costs alone.
import type { Interceptor } from '@connectrpc/connect';
import { limits } from '../../functions/limits.ts';
import { createLog } from '../../functions/process/log.ts';
import { readTelemetrySettings } from '../../functions/process/otlp/settings.ts';
import { startTelemetry } from '../../functions/process/otlp/telemetry.ts';
import { Settings } from '../../functions/process/settings.ts';
import { apiKeyWay, Metrics, type Way } from '../../functions/rpc/index.ts';
import { RpcServer } from '../../functions/rpc/server.ts';
import { scopes } from '../../functions/users/scopes.ts';
import { createUsersService } from '../../functions/users/service.ts';
import { memoryStore } from '../../functions/users/stores/memory.ts';
import { Users } from '../../proto/gen/users_pb.js';
import type { Signer } from '../tokens.ts';
import { createUser, getUsers } from './answers.ts';
import { freshJwtPolicy, jwtPolicy } from './jwt.ts';

const policies = new Set(process.env.POLICIES?.split(','));

const interceptors: Interceptor[] = [];
if (policies.has('interceptor')) interceptors.push((next) => (request) => next(request));
if (policies.has('metadata')) {
  interceptors.push((next) => async (request) => {
    const client = request.header.get('user-agent');
    const response = await next(request);
    response.header.set('x-client', client ?? '');
    return response;
  });
}

const ways: Way[] = [];
if (policies.has('key')) {
  const sha256 = Buffer.from(process.env.KEY_SHA256 ?? '', 'hex');
  ways.push(apiKeyWay([{ name: 'bench', scopes: ['*'], sha256 }]));
}
// Tokens: the key that signs them comes as SIGNER.
if (policies.has('jwt')) ways.push(await jwtPolicy(readSigner()));
if (policies.has('fresh jwt')) ways.push(await freshJwtPolicy(readSigner()));

// Traces go to a collector that is not there: what is measured is to record and to convert them.
const metrics = new Metrics();
const traces = {
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: process.env.COLLECTOR,
  OTEL_TRACES_SAMPLER: policies.has('sampled') ? 'always_on' : 'always_off',
  OTEL_BSP_MAX_QUEUE_SIZE: '100000',
};
const isTracing = policies.has('sampled') || policies.has('unsampled');
const telemetry = isTracing
  ? await startTelemetry(readTelemetrySettings(new Settings(traces), 'bench'), limits, metrics, console)
  : { tracing: undefined, observers: [] };

const noDeadline = { defaultDeadlineMs: Number.POSITIVE_INFINITY, maxDeadlineMs: Number.POSITIVE_INFINITY };
/** Never used up. */
const quota = { tokensPerSecondPerCaller: 1_000_000, maxTokensPerCaller: 1_000_000_000 };

const server = new RpcServer({
  routes: (router) =>
    router.service(
      Users,
      policies.has('service')
        ? createUsersService({ store: memoryStore(), limits })
        : {
            createUser: (request, context) => {
              if (policies.has('signal')) context.signal.throwIfAborted();
              return createUser(request);
            },
            async *getUsers(request) {
              for (const result of getUsers(request)) yield result;
            },
          },
    ),
  interceptors,
  ...(ways.length > 0 && { auth: { scopes, ways } }),
  ...(policies.has('log') && { log: await createLog({ level: 'info', format: 'json' }) }),
  telemetry: { metrics, tracing: telemetry.tracing, observers: telemetry.observers },
  limits: { ...(!policies.has('deadline') && noDeadline), ...(policies.has('bucket') && quota) },
});
await server.listen({ host: '127.0.0.1', port: Number(process.env.PORT) });

function readSigner(): Signer {
  return JSON.parse(process.env.SIGNER ?? '');
}
