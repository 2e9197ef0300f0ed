import { Duration, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib';
import type * as acm from 'aws-cdk-lib/aws-certificatemanager';
import type * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import type * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import type * as iam from 'aws-cdk-lib/aws-iam';
import * as logs from 'aws-cdk-lib/aws-logs';
import { Construct, type IDependable } from 'constructs';
import { type Front, makeFront } from './front.ts';
import type { GrpcServiceProps } from './grpc-service-props.ts';
import { refuseContradictions } from './grpc-service-refusals.ts';
import { GrpcTargets } from './grpc-targets.ts';
import { containerName, defaultPort, makeGrpcTask, serviceConnectOf } from './grpc-task.ts';
import { lifetimes } from './lifetimes.ts';
import { RequestScaling } from './request-scaling.ts';
import { ServiceNetwork } from './service-network.ts';
import { Watch } from './watch.ts';

/** Where tasks are. */
interface Place {
  readonly vpc: ec2.IVpc;
  readonly taskSubnets: ec2.SubnetSelection;
  /** What tasks need to start. */
  readonly endpoints: readonly IDependable[];
}

/**
 * A gRPC service behind an HTTPS load balancer, on Fargate: gRPC, and with `http` gRPC-Web and Connect, for any client,
 * over HTTP/2 end to end for gRPC. Deployments, scaling and the loss of a task cut off no call that keeps its deadline.
 * A version whose tasks do not get healthy, or whose calls fail, is rolled back; alarms and a dashboard come with it.
 *
 * Grant it what the container needs (`table.grantReadData(service)`), and let others in that call it without the load
 * balancer (`service.connections.allowDefaultPortFrom(other)`).
 */
export class GrpcService extends Construct implements ec2.IConnectable, iam.IGrantable {
  /** In front of the service. */
  readonly loadBalancer: elbv2.IApplicationLoadBalancer;
  /** Whether other services may be behind the same load balancer. */
  readonly isShared: boolean;
  readonly service: ecs.FargateService;
  /** Where the tasks are registered. */
  readonly targets: GrpcTargets;
  /** What the container writes. */
  readonly logGroup: logs.LogGroup;
  /** Tells it apart in the account and region: the name of its stack, and the ids down to it. */
  readonly names: readonly string[];
  /** Its `service.name` where metrics and traces are. */
  readonly telemetryName: string;
  /** Tasks that always run. */
  readonly minTasks: number;
  /** What the load balancer presents; undefined where that is a `front`'s. */
  readonly certificate?: acm.ICertificate;
  /** The authority (PEM) of a self-issued certificate; undefined where there is none. */
  readonly authority?: string;
  /** The tasks' security group, on the container's port. */
  readonly connections: ec2.Connections;
  /** The tasks' role. */
  readonly grantPrincipal: iam.IPrincipal;
  /** Figures, alarms and dashboard; undefined without `watch`. */
  readonly watch?: Watch;

  constructor(scope: Construct, id: string, props: GrpcServiceProps) {
    super(scope, id);
    const { containerPort = defaultPort, trustedProxies = 1, minTasks = 2, maxTasks = 10 } = props;
    refuseContradictions(props);
    this.minTasks = minTasks;
    this.isShared = props.front !== undefined;
    const times = lifetimes(props.front ? { ...props, idleTimeout: props.front.idleTimeout } : props);
    const { vpc, taskSubnets, endpoints } = this.#place(props);
    let front: Front;
    if (props.front) {
      front = props.front;
    } else {
      // A new network may have public subnets alone, where an internal load balancer has no public address either.
      const subnets = props.internal && !props.vpc && !props.cluster ? taskSubnets : undefined;
      const made = makeFront(this, props, { vpc, subnets, idleTimeout: times.idleTimeout });
      this.certificate = made.certificate;
      this.authority = made.authority;
      front = made;
    }
    this.loadBalancer = front.loadBalancer;
    this.targets = new GrpcTargets(this, 'Targets', {
      vpc,
      listener: front.listener,
      port: containerPort,
      deregistrationDelay: times.deregistrationDelay,
      alternates: props.deployment === 'canary',
      requiredHeader: props.requiredHeader,
      http: props.http,
      health: props.health,
      route: props.route,
    });

    const stack = Stack.of(this);
    const ids = this.node.scopes.slice(stack.node.scopes.length).map((it) => it.node.id);
    this.names = [stack.stackName, ...ids];
    this.telemetryName = props.telemetryName ?? this.names.join('-');
    this.logGroup = new logs.LogGroup(this, 'Log', {
      retention: props.logRetention ?? logs.RetentionDays.ONE_MONTH,
      // A first deployment that fails is rolled back, and would take along the log that says why.
      removalPolicy: props.logRemoval ?? RemovalPolicy.RETAIN,
    });
    const taskDefinition = makeGrpcTask(this, props, {
      containerPort,
      logGroup: this.logGroup,
      telemetryName: this.telemetryName,
      stopTimeout: times.stopTimeout,
      environment: {
        ...props.environment,
        HOST: '0.0.0.0',
        PORT: String(containerPort),
        TRUSTED_PROXIES: String(trustedProxies),
        ...times.environment,
      },
    });
    this.service = this.#fargate(props, vpc, taskSubnets, taskDefinition, times.idleTimeout);
    this.grantPrincipal = taskDefinition.taskRole;
    const { securityGroups } = this.service.connections;
    this.connections = new ec2.Connections({ securityGroups, defaultPort: ec2.Port.tcp(containerPort) });
    // A task that starts before the endpoints are there can't pull its image.
    this.service.node.addDependency(...endpoints);
    this.targets.register(this.service, containerName);

    const scaling = this.service.autoScaleTaskCount({ minCapacity: minTasks, maxCapacity: maxTasks });
    scaling.scaleOnCpuUtilization('Cpu', { targetUtilizationPercent: 60 });
    new RequestScaling(this, 'RequestScaling', {
      target: scaling,
      loadBalancer: this.loadBalancer,
      isShared: this.isShared,
      targets: this.targets,
      requestsPerMinute: props.requestsPerTaskAndMinute ?? 6000,
    });

    if (props.watch === false) return;
    this.watch = new Watch(this, 'Watch', {
      service: this,
      faultPattern: props.faultPattern,
      hasTelemetry: props.telemetry !== undefined,
      rollBackName: `${this.names.join('-')}-roll-back`,
      topic: props.alarmTopic,
    });
    this.rollBackAt(this.watch.alarms.rollBackName, this.watch.alarms.rollBack);
  }

  /** Brings the old version back when the alarm of that name goes off during a deployment. */
  rollBackAt(alarmName: string, alarm: cloudwatch.Alarm): void {
    this.service.enableDeploymentAlarms([alarmName]);
    this.service.node.addDependency(alarm);
  }

  #place(props: GrpcServiceProps): Place {
    const vpc = props.vpc ?? props.cluster?.vpc ?? props.front?.vpc;
    if (!vpc) {
      return new ServiceNetwork(this, 'Network', {
        privateSubnets: props.privateSubnets,
        hasSecrets: Object.keys(props.secrets ?? {}).length > 0,
        hasTelemetry: props.telemetry !== undefined,
      });
    }
    const { PRIVATE_WITH_EGRESS, PUBLIC } = ec2.SubnetType;
    const subnetType = vpc.privateSubnets.length > 0 ? PRIVATE_WITH_EGRESS : PUBLIC;
    return { vpc, taskSubnets: props.taskSubnets ?? { subnetType }, endpoints: [] };
  }

  #fargate(
    props: GrpcServiceProps,
    vpc: ec2.IVpc,
    taskSubnets: ec2.SubnetSelection,
    taskDefinition: ecs.FargateTaskDefinition,
    idleTimeout: Duration,
  ): ecs.FargateService {
    const { deployment = 'rolling', spotShare = 0 } = props;
    const securityGroup = new ec2.SecurityGroup(this, 'TaskSecurityGroup', {
      vpc,
      description: 'Tasks: in from the load balancer, out to AWS over HTTPS',
      allowAllOutbound: false,
    });
    securityGroup.addEgressRule(
      ec2.Peer.anyIpv4(),
      ec2.Port.HTTPS,
      'ECR, DynamoDB, CloudWatch, Secrets Manager, an issuer of tokens',
    );
    return new ecs.FargateService(this, 'Service', {
      cluster: props.cluster ?? this.#cluster(vpc, spotShare > 0),
      taskDefinition,
      securityGroups: [securityGroup],
      vpcSubnets: taskSubnets,
      assignPublicIp: vpc.selectSubnets(taskSubnets).hasPublic,
      capacityProviderStrategies: spotShare > 0 ? spot(spotShare) : undefined,
      serviceConnectConfiguration: serviceConnectOf(props, idleTimeout),
      // No desired count: it is auto scaling's, and a deployment must not set it back.
      minHealthyPercent: 100,
      maxHealthyPercent: 200,
      healthCheckGracePeriod: props.healthCheckGracePeriod ?? Duration.seconds(60),
      circuitBreaker: { rollback: true },
      propagateTags: ecs.PropagatedTagSource.SERVICE,
      ...(deployment === 'canary' ? canary : {}),
    });
  }

  #cluster(vpc: ec2.IVpc, hasSpot: boolean): ecs.Cluster {
    const cluster = new ecs.Cluster(this, 'Cluster', {
      vpc,
      containerInsightsV2: ecs.ContainerInsights.DISABLED,
      enableFargateCapacityProviders: hasSpot || undefined,
    });
    Validations.of(cluster).acknowledge({
      id: 'AwsSolutions-ECS4',
      reason: 'Container Insights is charged per task; the alarms and the dashboard need none of it.',
    });
    return cluster;
  }
}

/** One task on demand first, then by shares. */
function spot(share: number): ecs.CapacityProviderStrategy[] {
  const ofSpot = { capacityProvider: 'FARGATE_SPOT', weight: share };
  return share === 100 ? [ofSpot] : [{ capacityProvider: 'FARGATE', base: 1, weight: 100 - share }, ofSpot];
}

/**
 * A tenth of the calls for ten minutes; the old tasks stay for ten more, to go back to. Each is longer than the alarm
 * that rolls back needs (`rollBackPeriods`), when its figures come late.
 */
const canary: Partial<ecs.FargateServiceProps> = {
  deploymentStrategy: ecs.DeploymentStrategy.CANARY,
  canaryConfiguration: { stepPercent: 10, stepBakeTime: Duration.minutes(10) },
  bakeTime: Duration.minutes(10),
};
