import type { HandlerContext, ServiceImpl } from '@connectrpc/connect';
import { rpcError } from '../errors.ts';
import type { HttpResource } from '../http/http-resource.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import {
  type Health as HealthService,
  HealthCheckResponse_ServingStatus as Status,
} from './gen/health/v1/health_pb.js';

/**
 * The standard health service, for load balancers and for clients that watch.
 * Source: https://github.com/grpc/grpc/blob/master/doc/health-checking.md
 */
export class Health {
  /** The empty name stands for the server as a whole. */
  readonly #status = new Map<string, Status>([['', Status.SERVING]]);
  readonly #watchers = new Set<() => void>();
  /** Why a service does not serve, where that was said. */
  readonly #reasons = new Map<string, string>();
  #isShutDown = false;

  /** `services`: the names of the services that are served, such as `Users`. */
  constructor(services: Iterable<string>) {
    for (const service of services) this.#status.set(service, Status.SERVING);
  }

  /** Whether the server as a whole is fit to be sent calls. */
  get isServing(): boolean {
    return this.#status.get('') === Status.SERVING;
  }

  /** Whether the server has begun to end. */
  get isShutDown(): boolean {
    return this.#isShutDown;
  }

  /** The names of those that serve now, and of those that do not; '' is the server as a whole. */
  get services(): ReadonlyMap<string, boolean> {
    return new Map([...this.#status].map(([service, status]) => [service, status === Status.SERVING]));
  }

  /**
   * What can't be done now, a line each: empty while the server and all of its services serve. For those who run it.
   */
  get problems(): readonly string[] {
    if (this.#isShutDown) return ['it is draining'];
    const out = [...this.#status].filter(([, status]) => status !== Status.SERVING);
    return out.map(([service]) => {
      const reason = this.#reasons.get(service);
      return `${service || 'the server'} does not serve${reason === undefined ? '' : `: ${reason}`}`;
    });
  }

  /**
   * Sets the status of one service, or of the server for ''. Watchers are told. Once the server is about to end,
   * nothing changes any more.
   *
   * @param reason why it does not serve, in a line for those who run it: clients are not told
   */
  set(service: string, isServing: boolean, reason?: string): void {
    if (this.#isShutDown) return;
    this.#status.set(service, isServing ? Status.SERVING : Status.NOT_SERVING);
    if (isServing || reason === undefined) this.#reasons.delete(service);
    else this.#reasons.set(service, reason);
    for (const notify of this.#watchers) notify();
  }

  /** Sets all to NOT_SERVING, for good: the server is about to end. */
  shutDown(): void {
    this.#isShutDown = true;
    for (const service of this.#status.keys()) this.#status.set(service, Status.NOT_SERVING);
    for (const notify of this.#watchers) notify();
  }

  /** The methods, to be added to a router. */
  readonly implementation: ServiceImpl<typeof HealthService> = {
    check: ({ service }, { requestHeader }) => {
      const status = this.#status.get(service);
      if (status === undefined) throw rpcError('UNKNOWN_SERVICE');
      // An AWS load balancer reads the status of the call alone, so to it an OK with NOT_SERVING is healthy.
      if (
        status === Status.NOT_SERVING &&
        requestHeader.get('user-agent')?.startsWith('ELB-HealthChecker/')
      ) {
        throw rpcError('NOT_SERVING');
      }
      return { status };
    },
    list: () => ({
      statuses: Object.fromEntries([...this.#status].map(([service, status]) => [service, { status }])),
    }),
    watch: ({ service }, context) => this.#watch(service, context),
  };

  async *#watch(service: string, { signal }: HandlerContext) {
    let wake = () => {};
    const notify = () => wake();
    this.#watchers.add(notify);
    signal.addEventListener('abort', notify, { once: true });
    try {
      let sent: Status | undefined;
      while (!signal.aborted) {
        const status = this.#status.get(service) ?? Status.SERVICE_UNKNOWN;
        if (status !== sent) {
          sent = status;
          yield { status };
          continue; // it may have changed while the client was reading
        }
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      throw signal.reason;
    } finally {
      this.#watchers.delete(notify);
      signal.removeEventListener('abort', notify);
    }
  }
}

/** Adds `server.ready`: for each service, whether it serves. @throws Error if it is there already */
export function measureReadiness(health: Health, metrics: Metrics): void {
  const options = { description: 'Whether a service can do its work', unit: '{service}' };
  metrics.gauge('server.ready', options, () =>
    [...health.services]
      .filter(([service]) => service !== '')
      .map(([service, isServing]) => ({ labels: { service }, value: isServing ? 1 : 0 })),
  );
}

/**
 * `/healthz`, for load balancers that check over plain HTTP: 200 while the server is fit to be sent calls, else 503.
 * What a service can do is not asked: the store that one task can't reach no other can reach either, and all would go
 * at once.
 */
export function healthzOf(health: Health): HttpResource {
  return checkOf('/healthz', () => health.isServing, ['SERVING', 'NOT_SERVING']);
}

/**
 * `/readyz`: 200 while the server and every service of it serve, else 503. Everybody may ask, so it does not say why;
 * the admin port does.
 */
export function readyzOf(health: Health): HttpResource {
  return checkOf('/readyz', () => health.problems.length === 0, ['READY', 'NOT_READY']);
}

function checkOf(path: string, isWell: () => boolean, [yes, no]: readonly [string, string]): HttpResource {
  return {
    paths: [path],
    methods: ['GET'],
    headers: ['content-type', 'text/plain'],
    isQuiet: true, // several a second, from every zone
    async answer(_request, response) {
      const is = isWell();
      response.status = is ? 200 : 503;
      response.send(`${is ? yes : no}\n`);
    },
    errorText: (error) => `${error.rawMessage}\n`,
  };
}
