import { aws_applicationautoscaling as scaling } from 'aws-cdk-lib';
import type * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { Construct } from 'constructs';

/** What scaling on requests needs. */
export interface RequestScalingProps {
  /** The service's scalable target. */
  readonly target: scaling.IScalableTargetRef;
  /** Whose requests count, of every protocol. */
  readonly loadBalancer: elbv2.ApplicationLoadBalancer;
  /** Target groups that each task is in one of; their healthy hosts are the tasks. */
  readonly targetGroups: readonly elbv2.ApplicationTargetGroup[];
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
    const balancer = { name: 'LoadBalancer', value: props.loadBalancer.loadBalancerFullName };
    const tasks = props.targetGroups.map((group, index) => ({
      id: `tasks${index}`,
      returnData: false,
      metricStat: {
        stat: 'Average',
        metric: {
          namespace,
          metricName: 'HealthyHostCount',
          dimensions: [{ name: 'TargetGroup', value: group.targetGroupFullName }, balancer],
        },
      },
    }));
    const sum = tasks.map((metric) => `FILL(${metric.id}, 0)`).join(' + ');
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
            {
              id: 'requests',
              returnData: false,
              metricStat: {
                stat: 'Sum',
                metric: { namespace, metricName: 'RequestCount', dimensions: [balancer] },
              },
            },
            ...tasks,
            {
              id: 'perTask',
              expression: `FILL(requests, 0) / (${sum})`,
              label: 'Requests per task and minute',
            },
          ],
        },
      },
    });
  }
}
