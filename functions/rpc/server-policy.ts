import type { IncomingHttpHeaders } from 'node:http2';
import type { AuthOptions } from './auth/auth-gate.ts';
import type { ScopeTable } from './auth/scopes.ts';
import { createAccessLog } from './call/access-log.ts';
import { Admission } from './call/admission.ts';
import { clientName } from './call/client-name.ts';
import { ClientResets } from './call/client-resets.ts';
import { Clients } from './call/clients.ts';
import { DeadlineWheel } from './call/deadline-wheel.ts';
import { MemoryBudget } from './call/memory-budget.ts';
import type { CallPolicy } from './call/policy.ts';
import { Quota } from './call/quota.ts';
import { requestIdHeader } from './call/request-id.ts';
import { Turns } from './call/turns.ts';
import type { RpcLimits } from './limits.ts';
import type { RpcServerOptions } from './server-options.ts';
import { standardScopes } from './standard/services.ts';
import { createCallMetrics } from './telemetry/call-metrics.ts';
import { Tracing } from './telemetry/tracing.ts';

/** Makes what all calls of a server have in common. */
export function createPolicy(options: RpcServerOptions, limits: RpcLimits): CallPolicy {
  const { gate, interceptors = [], keepsMessages = false, log, trustedProxies = 0, isFromProxies } = options;
  const forwardedFor = (headers: IncomingHttpHeaders) =>
    isFromProxies?.(headers) === false ? undefined : clientName(headers, trustedProxies);
  const { maxRefusedLinesPerSecond } = limits;
  const metadata = options.logMetadata ?? 'keys';
  const knowsCallers = options.auth !== undefined && options.auth.ways.length > 0;
  const accessLog = log && createAccessLog(log, { metadata, maxRefusedLinesPerSecond, knowsCallers });
  const { metrics, observers = [], tracing } = options.telemetry ?? {};
  return {
    gate,
    interceptors,
    keepsMessages,
    forwardedFor,
    requestIdHeader: options.requestIdHeader ?? requestIdHeader,
    limits,
    observers: [
      ...(accessLog ? [accessLog] : []),
      ...(metrics ? [createCallMetrics(metrics)] : []),
      ...observers,
    ],
    tracing: tracing && new Tracing(tracing),
    wheel: new DeadlineWheel(),
    memory: new MemoryBudget(limits),
    strangers: knowsCallers ? { heldBytes: 0 } : undefined,
    clients: new Clients(),
    turns: new Turns(),
    untimedCalls: { count: 0 },
    quota: limits.tokensPerSecondPerCaller > 0 ? new Quota(limits, options.now) : undefined,
    admission: limits.overloadTurnMs > 0 ? new Admission(limits) : undefined,
    resets: trustedProxies > 0 ? new ClientResets(limits, forwardedFor, options.now) : undefined,
    openPaths: openPathsOf(options.auth),
  };
}

/** Who may call what: the service's table, and that of health and reflection. */
export function scopesOf(auth: AuthOptions | undefined): ScopeTable {
  return { ...auth?.scopes, ...standardScopes(auth?.isReflectionOpen ?? false) };
}

/** What everybody may call, whoever it is. */
function openPathsOf(auth: AuthOptions | undefined): ReadonlySet<string> {
  const scopes = Object.entries(scopesOf(auth));
  return new Set(scopes.filter(([, row]) => row === 'open').map(([path]) => path));
}
