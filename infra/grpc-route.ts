/** What a load balancer asks a task. Intervals and thresholds are those of `healthCheck` in `infra/lifetimes.ts`. */
export interface HealthChecks {
  /**
   * The method that is called, with an empty message.
   * @default /grpc.health.v1.Health/Check
   */
  readonly grpcPath?: string;
  /**
   * The statuses of gRPC that pass, such as `0`, `0,5` or `0-99`. A server without a health service answers 12
   * (UNIMPLEMENTED) to any method: it lives, but can not say that it is not ready.
   * @default 0
   */
  readonly grpcCodes?: string;
  /**
   * The path that is asked by HTTP/1.1.
   * @default /healthz
   */
  readonly httpPath?: string;
  /**
   * The statuses of HTTP that pass.
   * @default 200
   */
  readonly httpCodes?: string;
}

/** Which requests of a shared listener are a service's. `hosts` and `paths` have two patterns in all, with * and ?. */
export interface Route {
  /**
   * Rules are tried in this order, 1 to 49,999: the rule for gRPC has this number, that for HTTP the next one. With
   * `http: false` a service takes one number, else two. Without a route they are 10 and 20.
   */
  readonly priority: number;
  /**
   * The names that clients call, such as orders.example.com. The listener's certificates are for all of them.
   * @default any
   */
  readonly hosts?: readonly string[];
  /**
   * Of a request: /PACKAGE.SERVICE/METHOD for gRPC, so `/shop.*` are all services of a package. Health and reflection
   * have no package of yours: where services share a name, they are routed to the one whose paths take them, if any.
   * @default any
   */
  readonly paths?: readonly string[];
}

/** The content types of gRPC. Never application/grpc*: that is gRPC-Web too, which is no gRPC to a load balancer. */
export const grpcTypes = ['application/grpc', 'application/grpc+*', 'application/grpc;*'];

/**
 * Values that the conditions of a rule may have. Source:
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html
 */
const maxConditionValues = 5;

/** Throws a RangeError that says what to change, when a route does not fit into a rule. */
export function refuseRoute({ priority, hosts, paths }: Route, hasHeader: boolean): void {
  if (!Number.isInteger(priority) || priority < 1 || priority > 49_999) {
    throw new RangeError(`route.priority (${priority}) must be a whole number from 1 to 49999`);
  }
  const room = maxConditionValues - grpcTypes.length - (hasHeader ? 1 : 0);
  const count = (hosts?.length ?? 0) + (paths?.length ?? 0);
  if (count === 0) throw new RangeError('route takes all requests of the listener: give it hosts or paths');
  for (const [name, patterns] of Object.entries({ hosts, paths })) {
    if (patterns?.length === 0) throw new RangeError(`route.${name} is empty: leave it out, or name one`);
  }
  if (count > room) {
    throw new RangeError(
      `route has ${count} hosts and paths, and a rule has room for ${room}: use patterns, such as /shop.* for all services of a package`,
    );
  }
}

/** The priorities of a service that takes all requests of a listener: for gRPC, and for all else. */
export const defaultPriorities = { grpc: 10, http: 20 } as const;

/** A service that takes a priority of a listener: the path of its construct, and whether it was given a route. */
export interface RouteOwner {
  readonly path: string;
  readonly isRouted: boolean;
}

/** Who has a priority, of each listener. */
const taken = new WeakMap<object, Map<number, RouteOwner>>();

/**
 * Takes a priority of a listener, which CloudFormation would refuse to give twice, some minutes later.
 *
 * @throws RangeError that says who has it, and what to change
 */
export function takePriority(listener: object, priority: number, who: RouteOwner): void {
  const owners = taken.get(listener) ?? new Map<number, RouteOwner>();
  taken.set(listener, owners);
  const owner = owners.get(priority);
  if (owner !== undefined) {
    const { grpc, http } = defaultPriorities;
    const withoutRoute = [owner, who].find(({ isRouted }) => !isRouted);
    const advice = withoutRoute
      ? `without a route ${withoutRoute.path} takes all requests, by the priorities ${grpc} and ${http}: give it a route`
      : 'a service takes two in a row, its own and the next, and one with http: false';
    throw new RangeError(
      `${who.path}: ${owner.path} has the priority ${priority} on this listener: ${advice}`,
    );
  }
  owners.set(priority, who);
}
