import { Duration, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib';
import type * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as s3 from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';

/** How long lines of access logs are kept: as long as those of the service. */
const keptFor = Duration.days(30);

/** A bucket for the access logs of load balancers, whose lines go after a month. It stays when its stack goes. */
export class AccessLogBucket extends Construct {
  readonly bucket: s3.Bucket;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.bucket = new s3.Bucket(this, 'Bucket', {
      // The only encryption that load balancers write with.
      encryption: s3.BucketEncryption.S3_MANAGED,
      blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      lifecycleRules: [{ expiration: keptFor }],
      removalPolicy: RemovalPolicy.RETAIN,
    });
    Validations.of(this.bucket).acknowledge({
      id: 'AwsSolutions-S1',
      reason: 'It holds access logs: its own would tell of each time that the load balancer writes.',
    });
  }
}

/**
 * Lets a load balancer write its access logs to a bucket. The CDK's `logAccessLogs` allows that to an account of AWS
 * for each region, so it must know the region; the principal that AWS recommends in its place is the same in all.
 * Source: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html
 */
export function writeAccessLogs(loadBalancer: elbv2.ApplicationLoadBalancer, bucket: s3.IBucket): void {
  const { account } = Stack.of(loadBalancer);
  const prefix = loadBalancer.node.path.replaceAll('/', '-');
  const policy = bucket.addToResourcePolicy(
    new iam.PolicyStatement({
      principals: [new iam.ServicePrincipal('logdelivery.elasticloadbalancing.amazonaws.com')],
      actions: ['s3:PutObject'],
      resources: [bucket.arnForObjects(`${prefix}/AWSLogs/${account}/*`)],
    }),
  );
  loadBalancer.setAttribute('access_logs.s3.enabled', 'true');
  loadBalancer.setAttribute('access_logs.s3.bucket', bucket.bucketName);
  loadBalancer.setAttribute('access_logs.s3.prefix', prefix);
  // The load balancer tries to write when it is made.
  if (policy.policyDependable) loadBalancer.node.addDependency(policy.policyDependable);
}
