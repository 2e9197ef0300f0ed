import { aws_applicationautoscaling as scaling } from 'aws-cdk-lib';
import type * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { Construct } from 'constructs';
import { loadBalancerName } from './front.ts';
import type { GrpcTargets } from './grpc-targets.ts';

/** What scaling on requests needs. */
export interface RequestScalingProps {
  /** The service's scalable target. */
  readonly target: scaling.IScalableTargetRef;
  /** Whose requests count, of every protocol. */
  readonly loadBalancer: elbv2.IApplicationLoadBalancer;
  /** Whether it has requests of other services too, so that those of the target groups count. */
  readonly isShared: boolean;
  /** Where the tasks are: the healthy hosts of gRPC's groups are the tasks. */
  readonly targets: GrpcTargets;
  /** What a task is to get: more of them, more tasks. */
  readonly requestsPerMinute: number;
}

/**
 * Keeps the requests per task and minute at a target.
 *
 * The predefined metric ALBRequestCountPerTarget counts one target group. A gRPC service is in two, and a canary
 * deployment moves it between two more, so this one is computed: all requests, by all healthy tasks.
 */
export class RequestScaling extends Construct {
  constructor(scope: Construct, id: string, props: RequestScalingProps) {
    super(scope, id);
    const namespace = 'AWS/ApplicationELB';
    const balancer = { name: 'LoadBalancer', value: loadBalancerName(props.loadBalancer) };
    const metric = (id: string, metricName: string, stat: string, group?: elbv2.ApplicationTargetGroup) => ({
      id,
      returnData: false,
      metricStat: {
        stat,
        metric: {
          namespace,
          metricName,
          dimensions: group
            ? [{ name: 'TargetGroup', value: group.targetGroupFullName }, balancer]
            : [balancer],
        },
      },
    });
    const tasks = props.targets.grpcGroups.map((group, index) =>
      metric(`tasks${index}`, 'HealthyHostCount', 'Average', group),
    );
    const requests = props.isShared
      ? props.targets.groups.map((group, index) => metric(`requests${index}`, 'RequestCount', 'Sum', group))
      : [metric('requests', 'RequestCount', 'Sum')];
    const sum = (of: readonly { readonly id: string }[]) => of.map(({ id }) => `FILL(${id}, 0)`).join(' + ');
    new scaling.CfnScalingPolicy(this, 'Policy', {
      policyName: this.node.path.replaceAll('/', '-'),
      policyType: 'TargetTrackingScaling',
      scalingTargetId: props.target.scalableTargetRef.resourceId,
      targetTrackingScalingPolicyConfiguration: {
        targetValue: props.requestsPerMinute,
        scaleInCooldown: 300,
        scaleOutCooldown: 60,
        customizedMetricSpecification: {
          metrics: [
            ...requests,
            ...tasks,
            {
              id: 'perTask',
              expression: `${props.isShared ? `(${sum(requests)})` : sum(requests)} / (${sum(tasks)})`,
              label: 'Requests per task and minute',
            },
          ],
        },
      },
    });
  }
}
