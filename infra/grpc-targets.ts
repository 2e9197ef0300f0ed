import { type Duration, Validations } from 'aws-cdk-lib';
import type * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import * as iam from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import type { RequiredHeader } from './edge-proof.ts';
import { defaultPriorities, grpcTypes, type HealthChecks, type Route, takePriority } from './grpc-route.ts';
import { healthCheck } from './lifetimes.ts';

/** What connects a listener with a gRPC service. */
export interface GrpcTargetsProps {
  /** The network of the tasks. */
  readonly vpc: ec2.IVpc;
  /** Whose requests are routed. */
  readonly listener: elbv2.IApplicationListener;
  /** The port on which the container speaks every protocol. */
  readonly port: number;
  /** How long running calls may go on once a task gets no new ones. */
  readonly deregistrationDelay: Duration;
  /**
   * Whether the container speaks HTTP/1.1 too. Without it only gRPC is routed.
   * @default true
   */
  readonly http?: boolean;
  /**
   * What tells whether a task is healthy.
   * @default gRPC's own health service, and /healthz
   */
  readonly health?: HealthChecks;
  /**
   * Which requests of a listener that services share are this one's.
   * @default all
   */
  readonly route?: Route;
  /**
   * Every target group twice, between which ECS shifts traffic in a canary deployment.
   * @default false
   */
  readonly alternates?: boolean;
  /**
   * A header that each request must have.
   * @default none
   */
  readonly requiredHeader?: RequiredHeader;
}

/** The group for one protocol version, the other one for canary deployments, and the rule that leads there. */
interface Branch {
  readonly group: elbv2.ApplicationTargetGroup;
  readonly alternate?: elbv2.ApplicationTargetGroup;
  readonly rule: elbv2.ApplicationListenerRule;
}

/** What is different for the two protocol versions. */
interface Way {
  readonly protocolVersion: elbv2.ApplicationProtocolVersion;
  readonly healthCheck: elbv2.HealthCheck;
  readonly priority: number;
  readonly conditions: elbv2.ListenerCondition[];
}

const { GRPC, HTTP1 } = elbv2.ApplicationProtocolVersion;

/**
 * Routes gRPC to tasks over HTTP/2, and everything else (gRPC-Web, Connect, web pages) to the same port of the same
 * tasks over HTTP/1.1, where they speak that.
 *
 * A load balancer sends gRPC (HTTP/2, trailers) to GRPC target groups alone, which refuse everything else with 464;
 * groups for HTTP2 do not stream. So one container port is in two groups.
 */
export class GrpcTargets extends Construct {
  /** Every target group, alternates too. */
  readonly groups: elbv2.ApplicationTargetGroup[];
  /** Those of gRPC: each task is in one of them. */
  readonly grpcGroups: elbv2.ApplicationTargetGroup[];
  /** The groups of each protocol version: each task is in one of each pair. */
  readonly pairs: readonly (readonly elbv2.ApplicationTargetGroup[])[];

  readonly #branches: readonly Branch[];
  readonly #port: number;

  constructor(scope: Construct, id: string, props: GrpcTargetsProps) {
    super(scope, id);
    this.#port = props.port;
    const { http = true, health = {}, route } = props;
    const mine = [
      ...(route?.hosts ? [elbv2.ListenerCondition.hostHeaders([...route.hosts])] : []),
      ...(route?.paths ? [elbv2.ListenerCondition.pathPatterns([...route.paths])] : []),
    ];
    const grpcBranch = this.#branch('Grpc', props, {
      protocolVersion: GRPC,
      healthCheck: {
        path: health.grpcPath ?? '/grpc.health.v1.Health/Check',
        healthyGrpcCodes: health.grpcCodes ?? '0',
      },
      priority: route?.priority ?? defaultPriorities.grpc,
      conditions: [elbv2.ListenerCondition.httpHeader('content-type', grpcTypes), ...mine],
    });
    this.#branches = [grpcBranch];
    if (http) {
      const httpBranch = this.#branch('Http', props, {
        protocolVersion: HTTP1,
        healthCheck: { path: health.httpPath ?? '/healthz', healthyHttpCodes: health.httpCodes ?? '200' },
        priority: route ? route.priority + 1 : defaultPriorities.http,
        // A rule, not the listener's default: a canary deployment shifts traffic in rules only.
        conditions: route ? mine : [elbv2.ListenerCondition.pathPatterns(['*'])],
      });
      this.#branches = [grpcBranch, httpBranch];
    }
    const groupsOf = ({ group, alternate }: Branch) => (alternate ? [group, alternate] : [group]);
    this.pairs = this.#branches.map(groupsOf);
    this.groups = this.pairs.flat();
    this.grpcGroups = groupsOf(grpcBranch);
  }

  /** Registers the service's tasks in every group. */
  register(service: ecs.FargateService, containerName: string): void {
    const role = this.#branches.some(({ alternate }) => alternate) ? this.#shiftingRole() : undefined;
    for (const { group, alternate, rule } of this.#branches) {
      const alternateTarget =
        alternate &&
        new ecs.AlternateTarget('Alternate', {
          alternateTargetGroup: alternate,
          productionListener: ecs.ListenerRuleConfiguration.applicationListenerRule(rule),
          role,
        });
      const target = { containerName, containerPort: this.#port, alternateTarget };
      group.addTarget(service.loadBalancerTarget(target));
    }
  }

  #branch(name: string, props: GrpcTargetsProps, { protocolVersion, ...way }: Way): Branch {
    const makeGroup = (id: string) =>
      new elbv2.ApplicationTargetGroup(this, id, {
        vpc: props.vpc,
        port: props.port,
        protocol: elbv2.ApplicationProtocol.HTTP,
        protocolVersion,
        targetType: elbv2.TargetType.IP,
        deregistrationDelay: props.deregistrationDelay,
        // Not by least outstanding requests: until the health checks notice, a dead task, which fails every call at
        // once, would have the least and get them all.
        loadBalancingAlgorithmType: elbv2.TargetGroupLoadBalancingAlgorithmType.ROUND_ROBIN,
        healthCheck: {
          ...way.healthCheck,
          interval: healthCheck.interval,
          timeout: healthCheck.timeout,
          healthyThresholdCount: healthCheck.threshold,
          unhealthyThresholdCount: healthCheck.threshold,
        },
      });
    const group = makeGroup(name);
    const alternate = props.alternates ? makeGroup(`${name}Alternate`) : undefined;
    const action = alternate
      ? elbv2.ListenerAction.weightedForward([
          { targetGroup: group, weight: 100 },
          { targetGroup: alternate, weight: 0 },
        ])
      : elbv2.ListenerAction.forward([group]);
    const { requiredHeader: header } = props;
    const owner = { path: this.node.path, isRouted: props.route !== undefined };
    takePriority(props.listener, way.priority, owner);
    const rule = new elbv2.ApplicationListenerRule(this, `${name}Rule`, {
      listener: props.listener,
      priority: way.priority,
      conditions: header
        ? [...way.conditions, elbv2.ListenerCondition.httpHeader(header.name, [header.value])]
        : way.conditions,
      action,
    });
    return { group, alternate, rule };
  }

  /** Lets ECS change the rules' weights. */
  #shiftingRole(): iam.Role {
    const policy = 'AmazonECSInfrastructureRolePolicyForLoadBalancers';
    const role = new iam.Role(this, 'TrafficShiftingRole', {
      assumedBy: new iam.ServicePrincipal('ecs.amazonaws.com'),
      managedPolicies: [iam.ManagedPolicy.fromAwsManagedPolicyName(policy)],
    });
    Validations.of(role).acknowledge({
      id: `AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/${policy}]`,
      reason: 'The policy that AWS keeps for this purpose: what ECS needs to shift traffic is up to ECS.',
    });
    return role;
  }
}
