import { Duration } from 'aws-cdk-lib';
import type * as acm from 'aws-cdk-lib/aws-certificatemanager';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type * as ec2 from 'aws-cdk-lib/aws-ec2';
import type * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import type * as sns from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { AlarmSet } from './alarm-set.ts';
import { balancerErrors, certificateExpiry } from './alarms.ts';
import { type Front, type FrontProps, makeFront } from './front.ts';
import { refuseFront } from './grpc-service-refusals.ts';
import { type LifetimesProps, lifetimes } from './lifetimes.ts';
import { filledSum, ownErrors } from './service-metrics.ts';
import { ServiceNetwork } from './service-network.ts';

/** A load balancer for several services. Give it a certificate, or `certificateCode`; all else has a default. */
export interface GrpcLoadBalancerProps
  extends FrontProps,
    Pick<LifetimesProps, 'maxDeadline' | 'idleTimeout'> {
  /**
   * The network of the load balancer and of all services behind it.
   * @default a new one over two availability zones, without NAT gateways
   */
  readonly vpc?: ec2.IVpc;
  /**
   * Who hears of the load balancer's alarms.
   * @default nobody: they show in CloudWatch
   */
  readonly alarmTopic?: sns.ITopic;
}

/**
 * A load balancer that several services share, each behind a `route` of its own. It is watched by itself, for errors of
 * its own are not told apart by service; `maxDeadline` is the longest of all services.
 */
export class GrpcLoadBalancer extends Construct implements Front {
  readonly vpc: ec2.IVpc;
  readonly loadBalancer: elbv2.ApplicationLoadBalancer;
  readonly listener: elbv2.ApplicationListener;
  readonly idleTimeout: Duration;
  readonly certificate: acm.ICertificate;
  /** The authority (PEM) of a self-issued certificate; undefined where a `certificate` was given. */
  readonly authority?: string;
  /** Errors of its own, and a certificate that was not renewed. */
  readonly alarms: AlarmSet;

  constructor(scope: Construct, id: string, props: GrpcLoadBalancerProps) {
    super(scope, id);
    refuseFront(props);
    const { idleTimeout } = lifetimes({ maxDeadline: props.maxDeadline, idleTimeout: props.idleTimeout });
    const { vpc, taskSubnets } = props.vpc
      ? { vpc: props.vpc, taskSubnets: undefined }
      : new ServiceNetwork(this, 'Network');
    // A new network has public subnets alone, where an internal load balancer has no public address either.
    const subnets = props.internal ? taskSubnets : undefined;
    const front = makeFront(this, props, { vpc, subnets, idleTimeout });
    this.vpc = vpc;
    this.loadBalancer = front.loadBalancer;
    this.listener = front.listener;
    this.idleTimeout = idleTimeout;
    this.certificate = front.certificate;
    this.authority = front.authority;
    this.alarms = new AlarmSet(this, 'Alarms', { topic: props.alarmTopic });
    this.alarms.add('ServerErrors', balancerErrors(errorsOf(this.loadBalancer)));
    this.alarms.add('CertificateExpiry', certificateExpiry(this.certificate.metricDaysToExpiry()));
  }
}

function errorsOf(loadBalancer: elbv2.ApplicationLoadBalancer): cloudwatch.IMetric {
  const period = Duration.minutes(5);
  const usingMetrics = ownErrors(loadBalancer, { period, statistic: 'Sum' });
  const expression = filledSum(usingMetrics);
  return new cloudwatch.MathExpression({
    label: 'errors of the load balancer',
    expression,
    usingMetrics,
    period,
  });
}
