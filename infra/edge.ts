import { Duration, Validations } from 'aws-cdk-lib';
import * as acm from 'aws-cdk-lib/aws-certificatemanager';
import * as cloudfront from 'aws-cdk-lib/aws-cloudfront';
import * as origins from 'aws-cdk-lib/aws-cloudfront-origins';
import { Construct } from 'constructs';
import type { RequiredHeader } from './edge-proof.ts';

/** A name of one's own for the edge. */
export interface EdgeName {
  /** Such as api.example.com: another one than the origin's. */
  readonly name: string;
  /** The ARN of a certificate for it in us-east-1, the region that CloudFront reads certificates from. */
  readonly certificateArn: string;
}

/** What is brought to the edge. */
export interface EdgeProps {
  /** The service's own domain, or that of a function's endpoint: CloudFront trusts no self-issued certificate. */
  readonly domainName: string;
  /** What it adds to each request, by which the load balancer, or the function, knows it. */
  readonly proof: RequiredHeader;
  /**
   * Whether gRPC reaches the service.
   * @default true
   */
  readonly grpc?: boolean;
  /**
   * After how long without a byte from the service a call ends: 120 seconds at most, unless AWS raises your quota.
   * @default 60 seconds
   */
  readonly silence?: Duration;
  /**
   * The name that clients connect to. Its DNS record is not made here.
   * @default CloudFront's own, under cloudfront.net
   */
  readonly edgeName?: EdgeName;
}

/**
 * The service behind CloudFront: connections end near the client, calls travel AWS's network. It carries gRPC and
 * everything else, and caches nothing.
 *
 * CloudFront ends a call after `silence` without a byte from the service, whatever its deadline.
 */
export class Edge extends Construct {
  /** The name that clients connect to. */
  readonly domainName: string;
  /** What a name of one's own must lead to. */
  readonly distribution: cloudfront.Distribution;

  constructor(scope: Construct, id: string, props: EdgeProps) {
    super(scope, id);
    const { edgeName, grpc = true, silence = Duration.seconds(60) } = props;
    this.distribution = new cloudfront.Distribution(this, 'Distribution', {
      comment: `${grpc ? 'gRPC' : 'Connect and gRPC-Web'} of ${props.domainName}`,
      httpVersion: cloudfront.HttpVersion.HTTP2,
      ...(edgeName && {
        domainNames: [edgeName.name],
        certificate: acm.Certificate.fromCertificateArn(this, 'Certificate', edgeName.certificateArn),
        minimumProtocolVersion: cloudfront.SecurityPolicyProtocol.TLS_V1_2_2025,
      }),
      defaultBehavior: {
        origin: new origins.HttpOrigin(props.domainName, {
          protocolPolicy: cloudfront.OriginProtocolPolicy.HTTPS_ONLY,
          originSslProtocols: [cloudfront.OriginSslPolicy.TLS_V1_2],
          customHeaders: { [props.proof.name]: props.proof.value },
          readTimeout: silence,
          keepaliveTimeout: Duration.seconds(60),
        }),
        enableGrpc: grpc,
        allowedMethods: cloudfront.AllowedMethods.ALLOW_ALL,
        viewerProtocolPolicy: cloudfront.ViewerProtocolPolicy.HTTPS_ONLY,
        cachePolicy: cloudfront.CachePolicy.CACHING_DISABLED,
        // Metadata goes through, `authorization` too; the Host must be the origin's, which its certificate is for, and
        // by which AWS Lambda finds a function.
        originRequestPolicy: cloudfront.OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
        compress: false,
      },
    });
    this.domainName = edgeName?.name ?? this.distribution.distributionDomainName;
    Validations.of(this.distribution).acknowledge(
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
