import { Duration, Validations } from 'aws-cdk-lib';
import * as cloudfront from 'aws-cdk-lib/aws-cloudfront';
import * as origins from 'aws-cdk-lib/aws-cloudfront-origins';
import { Construct } from 'constructs';
import type { RequiredHeader } from './edge-proof.ts';

/** What is brought to the edge. */
export interface EdgeProps {
  /** The service's own domain: CloudFront trusts no self-issued certificate. */
  readonly domainName: string;
  /** What it adds to each request, by which the load balancer knows it. */
  readonly proof: RequiredHeader;
}

/**
 * The service behind CloudFront: connections end near the client, calls travel AWS's network. It carries gRPC and
 * everything else, caches nothing, and has a name and a certificate of its own, under cloudfront.net.
 *
 * CloudFront ends a call after 60 seconds without a byte from the service, whatever its deadline.
 */
export class Edge extends Construct {
  /** The name that clients connect to. */
  readonly domainName: string;

  constructor(scope: Construct, id: string, props: EdgeProps) {
    super(scope, id);
    const distribution = new cloudfront.Distribution(this, 'Distribution', {
      comment: `gRPC of ${props.domainName}`,
      httpVersion: cloudfront.HttpVersion.HTTP2,
      defaultBehavior: {
        origin: new origins.HttpOrigin(props.domainName, {
          protocolPolicy: cloudfront.OriginProtocolPolicy.HTTPS_ONLY,
          originSslProtocols: [cloudfront.OriginSslPolicy.TLS_V1_2],
          customHeaders: { [props.proof.name]: props.proof.value },
          readTimeout: Duration.seconds(60),
          keepaliveTimeout: Duration.seconds(60),
        }),
        enableGrpc: true,
        allowedMethods: cloudfront.AllowedMethods.ALLOW_ALL,
        viewerProtocolPolicy: cloudfront.ViewerProtocolPolicy.HTTPS_ONLY,
        cachePolicy: cloudfront.CachePolicy.CACHING_DISABLED,
        // Metadata goes through; the Host must be the origin's, which its certificate is for.
        originRequestPolicy: cloudfront.OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
        compress: false,
      },
    });
    this.domainName = distribution.distributionDomainName;
    Validations.of(distribution).acknowledge(
      { id: 'AwsSolutions-CFR1', reason: 'The service is for every country.' },
      {
        id: 'AwsSolutions-CFR2',
        reason: 'A firewall is for the owner of the account to choose and to pay for.',
      },
      { id: 'AwsSolutions-CFR3', reason: 'Calls are in the log of the service.' },
      {
        id: 'AwsSolutions-CFR4',
        reason:
          "CloudFront's own certificate comes with its own TLS policy; gRPC clients speak TLS 1.2 or newer.",
      },
    );
  }
}
