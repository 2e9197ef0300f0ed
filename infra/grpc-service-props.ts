import type { Duration, RemovalPolicy } from 'aws-cdk-lib';
import type * as ec2 from 'aws-cdk-lib/aws-ec2';
import type * as ecs from 'aws-cdk-lib/aws-ecs';
import type * as iam from 'aws-cdk-lib/aws-iam';
import type * as logs from 'aws-cdk-lib/aws-logs';
import type * as sns from 'aws-cdk-lib/aws-sns';
import type { RequiredHeader } from './edge-proof.ts';
import type { Front, FrontProps } from './front.ts';
import type { HealthChecks, Route } from './grpc-route.ts';
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

/** A service's place in a namespace of ECS Service Connect. */
export interface ServiceConnect {
  /** The name or the ARN of a namespace of AWS Cloud Map. */
  readonly namespace: string;
  /**
   * What others call it, such as `orders`. Needs `http: false`.
   * @default nobody calls it: it only calls others
   */
  readonly name?: string;
}

/** A gRPC service in a container. Everything but the image has a default. */
export interface GrpcServiceProps extends LifetimesProps, FrontProps {
  /**
   * Serves gRPC over cleartext HTTP/2 on one port, and with `http` HTTP/1.1 on the same one; answers the checks of
   * `health`, and ends with 0 after SIGTERM. Its log tells of failed calls as `faultPattern` says.
   */
  readonly image: ecs.ContainerImage;
  /**
   * Whether the image speaks HTTP/1.1 too, for gRPC-Web, Connect and web pages. Without it the load balancer answers
   * 404 to all but gRPC.
   * @default true
   */
  readonly http?: boolean;
  /**
   * What the load balancer asks a task, to see whether it is healthy.
   * @default gRPC's own health service, and by HTTP /healthz
   */
  readonly health?: HealthChecks;
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
   * The container's command, in place of the image's.
   * @default the image's
   */
  readonly command?: readonly string[];
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
   * Of a hundred tasks, those that run on spare capacity (Fargate Spot): up to 70 % cheaper, and each may end with two
   * minutes' notice, several at once. One task at least is on demand, unless all are to be on Spot.
   * @default 0
   */
  readonly spotShare?: number;
  /**
   * The processor that the image was built for.
   * @default ecs.CpuArchitecture.ARM64
   */
  readonly architecture?: ecs.CpuArchitecture;
  /**
   * What the container may do in AWS.
   * @default a new role, which may do nothing until something is granted to the service
   */
  readonly taskRole?: iam.IRole;
  /**
   * What ECS may do to start a task: pull the image, read secrets, write the log.
   * @default a new role, which may do that and no more
   */
  readonly executionRole?: iam.IRole;
  /**
   * Keeps the container from writing to its file system.
   * @default true
   */
  readonly readonlyRootFilesystem?: boolean;
  /**
   * How long a new task may fail its health checks.
   * @default 60 seconds
   */
  readonly healthCheckGracePeriod?: Duration;
  /**
   * The network to use. Not with `cluster` or `front`, which have one.
   * @default a new one over two availability zones, without NAT gateways
   */
  readonly vpc?: ec2.IVpc;
  /**
   * The cluster to use. For `spotShare` it needs the capacity providers FARGATE and FARGATE_SPOT.
   * @default a new one: it costs nothing
   */
  readonly cluster?: ecs.ICluster;
  /**
   * Where the tasks go in a network of yours.
   * @default its private subnets with a way out; where there are none, its public ones
   */
  readonly taskSubnets?: ec2.SubnetSelection;
  /**
   * A load balancer and a listener that are there, such as a `GrpcLoadBalancer` that several services share. Needs
   * `route`, unless all requests are this service's.
   * @default a load balancer of its own
   */
  readonly front?: Front;
  /**
   * Which requests of the `front` are this service's.
   * @default all of them, by the priorities 10 (gRPC) and 20 (HTTP)
   */
  readonly route?: Route;
  /**
   * Lets other services of a namespace call this one without the load balancer, at `http://NAME:PORT`; and lets this
   * one call those. Who calls also has to be let in: `orders.connections.allowDefaultPortFrom(shop)`.
   * @default calls come through the load balancer
   */
  readonly serviceConnect?: ServiceConnect;
  /**
   * In the new network, tasks without a way from or to the internet. `added` does that to a network that was deployed
   * without: its subnets take all addresses, so those of the tasks get a range of their own.
   * @default false
   */
  readonly privateSubnets?: boolean | 'added';
  /**
   * How a new version replaces the old one.
   * @default 'rolling'
   */
  readonly deployment?: Deployment;
  /**
   * The lines of the log that tell of a call which failed through a fault of the server. By them a version whose calls
   * fail is rolled back, for a load balancer does not see how gRPC calls end.
   * @default JSON whose `fault` is true
   */
  readonly faultPattern?: logs.IFilterPattern;
  /**
   * Alarms, a dashboard, and the way back to the former version when one of the alarms goes off in a deployment. With
   * `false` they are yours to make from `ServiceMetrics`, `Alarms` and `Dashboard`, with what else you watch.
   * @default true
   */
  readonly watch?: boolean;
  /**
   * Who hears of alarms.
   * @default nobody: they show in CloudWatch and on the dashboard
   */
  readonly alarmTopic?: sns.ITopic;
  /**
   * Sends metrics and traces to CloudWatch.
   * @default the log alone tells of calls
   */
  readonly telemetry?: TelemetryOptions;
  /**
   * Its `service.name` there.
   * @default the stack's name and the ids down to the service, such as Shop-Orders
   */
  readonly telemetryName?: string;
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
}
