import { type Duration, Validations } from 'aws-cdk-lib';
import type * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import * as iam from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import type { RequiredHeader } from './edge-proof.ts';
import { healthCheck } from './lifetimes.ts';

/** What connects a listener with a gRPC service. */
export interface GrpcTargetsProps {
  /** The network of the tasks. */
  readonly vpc: ec2.IVpc;
  /** Whose requests are routed. */
  readonly listener: elbv2.ApplicationListener;
  /** The port on which the container speaks every protocol. */
  readonly port: number;
  /** How long running calls may go on once a task gets no new ones. */
  readonly deregistrationDelay: Duration;
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
interface Route {
  readonly group: elbv2.ApplicationTargetGroup;
  readonly alternate?: elbv2.ApplicationTargetGroup;
  readonly rule: elbv2.ApplicationListenerRule;
}

// A load balancer sends gRPC (HTTP/2, trailers) to GRPC target groups alone, which refuse everything else with 464;
// groups for HTTP2 do not stream. So one container port is in two groups.
const grpc = {
  protocolVersion: elbv2.ApplicationProtocolVersion.GRPC,
  healthCheck: { path: '/grpc.health.v1.Health/Check', healthyGrpcCodes: '0' },
};
const http = {
  protocolVersion: elbv2.ApplicationProtocolVersion.HTTP1,
  healthCheck: { path: '/healthz', healthyHttpCodes: '200' },
};

/**
 * Routes gRPC to tasks over HTTP/2, and everything else (gRPC-Web, Connect, web pages) to the same port of the same
 * tasks over HTTP/1.1.
 */
export class GrpcTargets extends Construct {
  /** Every target group, alternates too. */
  readonly groups: elbv2.ApplicationTargetGroup[];
  /** Those of gRPC: each task is in one of them. */
  readonly grpcGroups: elbv2.ApplicationTargetGroup[];
  /** The groups of each protocol version: each task is in one of each pair. */
  readonly pairs: readonly (readonly elbv2.ApplicationTargetGroup[])[];

  readonly #routes: readonly Route[];
  readonly #port: number;

  constructor(scope: Construct, id: string, props: GrpcTargetsProps) {
    super(scope, id);
    this.#port = props.port;
    const grpcRoute = this.#route('Grpc', grpc, props, 10, [
      // Never application/grpc*: that is gRPC-Web too, which is no gRPC to a load balancer.
      elbv2.ListenerCondition.httpHeader('content-type', [
        'application/grpc',
        'application/grpc+*',
        'application/grpc;*',
      ]),
    ]);
    // A rule, not the listener's default: a canary deployment shifts traffic in rules only.
    const httpRoute = this.#route('Http', http, props, 20, [elbv2.ListenerCondition.pathPatterns(['*'])]);
    this.#routes = [grpcRoute, httpRoute];
    const groupsOf = ({ group, alternate }: Route) => (alternate ? [group, alternate] : [group]);
    this.pairs = this.#routes.map(groupsOf);
    this.groups = this.pairs.flat();
    this.grpcGroups = groupsOf(grpcRoute);
  }

  /** Registers the service's tasks in every group. */
  register(service: ecs.FargateService, containerName: string): void {
    const role = this.#routes.some(({ alternate }) => alternate) ? this.#shiftingRole() : undefined;
    for (const { group, alternate, rule } of this.#routes) {
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

  #route(
    name: string,
    protocol: typeof grpc | typeof http,
    props: GrpcTargetsProps,
    priority: number,
    conditions: elbv2.ListenerCondition[],
  ): Route {
    const makeGroup = (id: string) =>
      new elbv2.ApplicationTargetGroup(this, id, {
        vpc: props.vpc,
        port: props.port,
        protocol: elbv2.ApplicationProtocol.HTTP,
        protocolVersion: protocol.protocolVersion,
        targetType: elbv2.TargetType.IP,
        deregistrationDelay: props.deregistrationDelay,
        // Not by least outstanding requests: until the health checks notice, a dead task, which fails every call at
        // once, would have the least and get them all.
        loadBalancingAlgorithmType: elbv2.TargetGroupLoadBalancingAlgorithmType.ROUND_ROBIN,
        healthCheck: {
          ...protocol.healthCheck,
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
    const rule = new elbv2.ApplicationListenerRule(this, `${name}Rule`, {
      listener: props.listener,
      priority,
      conditions: header
        ? [...conditions, elbv2.ListenerCondition.httpHeader(header.name, [header.value])]
        : conditions,
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
