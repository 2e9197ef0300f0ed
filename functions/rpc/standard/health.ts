import type { HandlerContext, ServiceImpl } from '@connectrpc/connect';
import { rpcError } from '../errors.ts';
import type { HttpResource } from '../http/http-resource.ts';
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

  /** `services`: the names of the services that are served, such as `Users`. */
  constructor(services: Iterable<string>) {
    for (const service of services) this.#status.set(service, Status.SERVING);
  }

  /** Whether the server as a whole is fit to be sent calls. */
  get isServing(): boolean {
    return this.#status.get('') === Status.SERVING;
  }

  /** Sets the status of one service, or of the server for ''. Watchers are told. */
  set(service: string, isServing: boolean): void {
    this.#status.set(service, isServing ? Status.SERVING : Status.NOT_SERVING);
    for (const notify of this.#watchers) notify();
  }

  /** Sets all to NOT_SERVING, for good: the server is about to end. */
  shutDown(): void {
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

/** `/healthz`, for load balancers that check over plain HTTP: 200 while the server is fit to be sent calls, else 503. */
export function healthzOf(health: Health): HttpResource {
  return {
    paths: ['/healthz'],
    methods: ['GET'],
    headers: ['content-type', 'text/plain'],
    isQuiet: true, // several a second, from every zone
    async answer(_request, response) {
      response.status = health.isServing ? 200 : 503;
      response.send(health.isServing ? 'SERVING\n' : 'NOT_SERVING\n');
    },
    errorText: (error) => `${error.rawMessage}\n`,
  };
}
