import type * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import * as wafv2 from 'aws-cdk-lib/aws-wafv2';
import { Construct } from 'constructs';

/** Whose requests are counted, and how many are too many. */
export interface RateRuleProps {
  readonly loadBalancer: elbv2.IApplicationLoadBalancer;
  /** Requests of one address in five minutes, at least 10. */
  readonly requestsPerIp: number;
}

/**
 * Blocks an address while it has sent more requests in five minutes than it may: the load balancer answers 403 in place
 * of the tasks. AWS WAF is paid for by rule and by request, blocked ones too, and notices within a minute or so.
 */
export class RateRule extends Construct {
  constructor(scope: Construct, id: string, { loadBalancer, requestsPerIp }: RateRuleProps) {
    super(scope, id);
    const visible = (metricName: string) => ({
      metricName,
      cloudWatchMetricsEnabled: true,
      sampledRequestsEnabled: false,
    });
    const acl = new wafv2.CfnWebACL(this, 'WebAcl', {
      scope: 'REGIONAL',
      defaultAction: { allow: {} },
      visibilityConfig: visible('Requests'),
      rules: [
        {
          name: 'RatePerIp',
          priority: 0,
          action: { block: {} },
          statement: {
            rateBasedStatement: { limit: requestsPerIp, aggregateKeyType: 'IP', evaluationWindowSec: 300 },
          },
          visibilityConfig: visible('RatePerIp'),
        },
      ],
    });
    new wafv2.CfnWebACLAssociation(this, 'Association', {
      resourceArn: loadBalancer.loadBalancerArn,
      webAclArn: acl.attrArn,
    });
  }
}
