import * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import * as s3 from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';

/** Who vouches for clients. */
export interface ClientAuthorityProps {
  /** The certificates (PEM) of the authorities, `s3://BUCKET/KEY`; whoever deploys must be allowed to read it. */
  readonly bundle: string;
}

/** What `ClientAuthorityProps.bundle` looks like. */
export const s3Object = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\/(.+)$/;

/** Mutual TLS at the load balancer: it serves only clients with a certificate that these authorities vouch for. */
export class ClientAuthority extends Construct {
  /** Given to the listener. */
  readonly trustStore: elbv2.TrustStore;

  /** @throws RangeError when the bundle is no object of S3 */
  constructor(scope: Construct, id: string, { bundle }: ClientAuthorityProps) {
    super(scope, id);
    const [, bucketName, key] = s3Object.exec(bundle) ?? [];
    if (!bucketName || !key) throw new RangeError(`bundle (${bundle}) must be s3://BUCKET/KEY`);
    this.trustStore = new elbv2.TrustStore(this, 'TrustStore', {
      bucket: s3.Bucket.fromBucketName(this, 'Bucket', bucketName),
      key,
    });
  }
}
