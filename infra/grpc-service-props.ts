import { isIPv4 } from 'node:net';
import type { RemovalPolicy } from 'aws-cdk-lib';
import type * as acm from 'aws-cdk-lib/aws-certificatemanager';
import type * as ec2 from 'aws-cdk-lib/aws-ec2';
import type * as ecs from 'aws-cdk-lib/aws-ecs';
import type * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import type * as logs from 'aws-cdk-lib/aws-logs';
import { collectorMemoryMiB } from './collector.ts';
import type { RequiredHeader } from './edge-proof.ts';
import { fargateSizes, wordsOf } from './fargate-sizes.ts';
import type { LifetimesProps } from './lifetimes.ts';
import type { TelemetryOptions } from './telemetry.ts';

/** How a new version replaces the old one. */
export type Deployment =
  /** Task by task; tasks that do not become healthy bring the old version back. */
  | 'rolling'
  /**
   * All new tasks beside the old ones; a tenth of the calls for a time, then all; back at the first alarm. Experimental:
   * ECS swaps the target groups behind CloudFormation's back, so a later change of a listener rule, or of this, may
   * send all calls to groups without tasks, unless the check of docs/operating.md ("Canary") is run before.
   */
  | 'canary';

/** A gRPC service in a container. Everything but the image has a default. */
export interface GrpcServiceProps extends LifetimesProps {
  /** Serves gRPC over cleartext HTTP/2, and HTTP/1.1, on one port; answers health checks of both kinds. */
  readonly image: ecs.ContainerImage;
  /**
   * The container's environment. `HOST`, `PORT` and the lifetimes (see `infra/lifetimes.ts`) are set here.
   * @default none
   */
  readonly environment?: Readonly<Record<string, string>>;
  /**
   * What of the container's environment is kept secret: the tasks' execution role may read it, when they start.
   * @default none
   */
  readonly secrets?: Readonly<Record<string, ecs.Secret>>;
  /**
   * The port the container listens on; it gets it as `PORT`.
   * @default 50051
   */
  readonly containerPort?: number;
  /**
   * How many proxies stand between clients and tasks, the load balancer included: each adds to `x-forwarded-for` the
   * address that it saw. The container gets the number as `TRUSTED_PROXIES`, to tell clients apart. With more than one,
   * a client that goes straight to the load balancer can claim any address.
   * @default 1
   */
  readonly trustedProxies?: number;
  /**
   * A header that each request must have, by which a proxy in front is known; others are answered with 404.
   * @default none
   */
  readonly requiredHeader?: RequiredHeader;
  /**
   * Of a task, in 1/1024 of a CPU. Only some pairs with `memoryMiB` exist on Fargate.
   * @default 256
   */
  readonly cpu?: number;
  /**
   * Of a task. A collector (`telemetry`) takes 128 of it.
   * @default 512, beside a collector 1024
   */
  readonly memoryMiB?: number;
  /**
   * Tasks that always run; with two, one may fail.
   * @default 2
   */
  readonly minTasks?: number;
  /**
   * Tasks that run at the most, up to 100: the price of a flood.
   * @default 10
   */
  readonly maxTasks?: number;
  /**
   * Requests that a task is to get in a minute before there are more tasks.
   * @default 6000
   */
  readonly requestsPerTaskAndMinute?: number;
  /**
   * The network to use.
   * @default a new one over two availability zones, without NAT gateways
   */
  readonly vpc?: ec2.IVpc;
  /**
   * Where the tasks go in a `vpc` of yours.
   * @default its public subnets
   */
  readonly taskSubnets?: ec2.SubnetSelection;
  /**
   * In the new network, tasks without a way from or to the internet. `added` does that to a network that was deployed
   * without: its subnets take all addresses, so those of the tasks get a range of their own.
   * @default false
   */
  readonly privateSubnets?: boolean | 'added';
  /**
   * Who may connect to the load balancer: networks of IPv4 such as 203.0.113.0/24, and prefix lists such as
   * pl-0123abcd.
   * @default whoever reaches it
   */
  readonly allowedCidrs?: readonly string[];
  /**
   * A load balancer without public addresses, for clients in the network and in those connected to it.
   * @default false
   */
  readonly internal?: boolean;
  /**
   * Mutual TLS: the load balancer serves only clients with a certificate of these authorities.
   * @default clients need no certificate
   */
  readonly clientTrustStore?: elbv2.ITrustStore;
  /**
   * The load balancer's certificate.
   * @default a self-issued one for the load balancer's own name; its authority is in `authority`
   */
  readonly certificate?: acm.ICertificate;
  /**
   * The folder of the bundled certificate function.
   * @default none: needed unless there is a `certificate`
   */
  readonly certificateCode?: string;
  /**
   * How a new version replaces the old one.
   * @default 'rolling'
   */
  readonly deployment?: Deployment;
  /**
   * Sends metrics and traces to CloudWatch.
   * @default the log alone tells of calls
   */
  readonly telemetry?: TelemetryOptions;
  /**
   * How long the log is kept.
   * @default one month
   */
  readonly logRetention?: logs.RetentionDays;
  /**
   * What becomes of the log when the stack goes, or when its first deployment fails.
   * @default RemovalPolicy.RETAIN: it stays, and its lines expire as `logRetention` says
   */
  readonly logRemoval?: RemovalPolicy;
  /**
   * Refuses to delete the load balancer, whose name is the endpoint where there is no domain. A first deployment that
   * fails can not be rolled back with it, so set it on a stack that is there.
   * @default false
   */
  readonly deletionProtection?: boolean;
}

/** The memory of a task, and that of its server. */
export function memoryOf({ memoryMiB, telemetry }: GrpcServiceProps): { taskMiB: number; serverMiB: number } {
  const collectorMiB = telemetry?.kind === 'adot' ? collectorMemoryMiB : 0;
  const taskMiB = memoryMiB ?? (collectorMiB > 0 ? 1024 : 512);
  return { taskMiB, serverMiB: taskMiB - collectorMiB };
}

/** What a server needs at the least, "Memory" in docs/settings.md. */
const leastServerMiB = 512;

/** More tasks than this are more likely a slip than a need. */
const mostTasks = 100;

/** A network of IPv4, the only one that a load balancer without dual stack meets, or a prefix list. */
export function isPeer(text: string): boolean {
  const [, address = '', bits] = /^([\d.]+)\/(\d{1,2})$/.exec(text) ?? [];
  return /^pl-[0-9a-f]{8,17}$/.test(text) || (isIPv4(address) && Number(bits) <= 32);
}

/** What the construct sets itself, and how to have it otherwise. */
const ownEnvironment = {
  HOST: 'tasks listen on every address',
  PORT: 'set containerPort',
  TRUSTED_PROXIES: 'set trustedProxies',
  MAX_DEADLINE_MS: 'set maxDeadline',
  IDLE_TIMEOUT_MS: 'set idleTimeout',
  DRAIN_DELAY_MS: 'it follows from the health checks',
  DRAIN_TIMEOUT_MS: 'set stopTimeout',
};

/** Throws a RangeError that says what to change, when props contradict each other or Fargate. */
export function refuseContradictions(props: GrpcServiceProps): void {
  const { cpu = 256, minTasks = 2, maxTasks = 10, trustedProxies = 1, environment = {} } = props;
  const { taskMiB: memoryMiB, serverMiB } = memoryOf(props);
  const refuse = (reason: string): never => {
    throw new RangeError(reason);
  };
  if (props.vpc && props.privateSubnets) {
    refuse(
      'privateSubnets shapes the new network: leave it out, and choose subnets of your vpc with taskSubnets',
    );
  }
  if (props.taskSubnets && !props.vpc) {
    refuse('taskSubnets chooses among the subnets of a vpc: give the vpc too, or set privateSubnets');
  }
  if (!props.certificate && !props.certificateCode) {
    refuse(
      'without a certificate one is issued: set certificateCode to the bundled function, or give a certificate',
    );
  }
  if (props.certificate && props.certificateCode) {
    refuse('certificateCode is for a self-issued certificate: leave it out, or leave out certificate');
  }
  if (!Number.isInteger(minTasks) || minTasks < 1 || !Number.isInteger(maxTasks) || maxTasks < minTasks) {
    refuse(
      `minTasks (${minTasks}) and maxTasks (${maxTasks}) must be whole numbers, at least 1, the first not larger`,
    );
  }
  if (maxTasks > mostTasks) refuse(`maxTasks (${maxTasks}) must be at most ${mostTasks}`);
  const strangers = props.allowedCidrs?.filter((it) => !isPeer(it)) ?? [];
  if (strangers.length > 0) {
    refuse(`allowedCidrs (${strangers.join(', ')}) must be networks of IPv4 such as 203.0.113.0/24`);
  }
  if (props.allowedCidrs?.length === 0)
    refuse('allowedCidrs lets nobody in: leave it out, or name a network');
  if (!Number.isInteger(trustedProxies) || trustedProxies < 1 || trustedProxies > 16) {
    refuse(`trustedProxies (${trustedProxies}) must be 1 to 16: the load balancer, and those before it`);
  }
  const sizes =
    fargateSizes.get(cpu) ?? refuse(`cpu (${cpu}) must be one of ${[...fargateSizes.keys()].join(', ')}`);
  if (!sizes.includes(memoryMiB)) {
    refuse(`memoryMiB (${memoryMiB}) must be ${wordsOf(sizes)} with cpu ${cpu}`);
  }
  if (serverMiB < leastServerMiB) {
    const more = sizes.find((it) => it > memoryMiB);
    refuse(
      `memoryMiB (${memoryMiB}) leaves the server ${serverMiB} beside the collector, which is too little: take ${more}, or telemetry 'otlp'`,
    );
  }
  for (const [name, instead] of Object.entries(ownEnvironment)) {
    if (name in environment) refuse(`environment.${name} is set by the construct: leave it out; ${instead}`);
  }
  for (const name of Object.keys(props.secrets ?? {})) {
    if (name in environment || name in ownEnvironment)
      refuse(`secrets.${name} is in the environment already`);
  }
}
