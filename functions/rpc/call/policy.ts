import type { IncomingHttpHeaders } from 'node:http2';
import type { Interceptor } from '@connectrpc/connect';
import type { RpcLimits } from '../limits.ts';
import type { Tracing } from '../telemetry/tracing.ts';
import type { Admission } from './admission.ts';
import type { CallObserver } from './call-record.ts';
import type { ClientResets } from './client-resets.ts';
import type { Clients } from './clients.ts';
import type { DeadlineWheel } from './deadline-wheel.ts';
import type { Gate } from './gate.ts';
import type { MemoryBudget, Share } from './memory-budget.ts';
import type { Quota } from './quota.ts';
import type { Turns } from './turns.ts';

/** What all calls of a server have in common. */
export interface CallPolicy {
  /** Set once, before the first call. */
  gate: Gate | undefined;
  /** How much callers may do; `undefined`: as much as they like. */
  readonly quota: Quota | undefined;
  /** Refuses what is more than can be done; `undefined`: nothing is. */
  readonly admission: Admission | undefined;
  /** Counts resets of streams by client; `undefined` where no trusted proxy names clients: each has a connection. */
  readonly resets: ClientResets | undefined;
  /** What everybody may call, such as health: it costs nothing, and is never one call too many. */
  readonly openPaths: ReadonlySet<string>;
  readonly interceptors: readonly Interceptor[];
  readonly limits: RpcLimits;
  /** @see RpcServerOptions.keepsMessages */
  readonly keepsMessages: boolean;
  /** The address that trusted proxies name as that of a request's client; `undefined` if none does. */
  readonly forwardedFor: (headers: IncomingHttpHeaders) => string | undefined;
  /** @see RpcServerOptions.requestIdHeader */
  readonly requestIdHeader: string;
  /** Who watches the calls, such as the log. */
  readonly observers: readonly CallObserver[];
  /** Records what happens in calls; `undefined` where nobody wants to know. */
  readonly tracing: Tracing | undefined;
  readonly wheel: DeadlineWheel;
  readonly memory: MemoryBudget;
  readonly clients: Clients;
  /** What calls of nobody hold, where callers have to say who they are; else `undefined`. */
  readonly strangers: Share | undefined;
  readonly turns: Turns;
  /** How many calls last as long as their clients want. */
  readonly untimedCalls: { count: number };
}
