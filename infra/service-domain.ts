import * as acm from 'aws-cdk-lib/aws-certificatemanager';
import type * as cloudfront from 'aws-cdk-lib/aws-cloudfront';
import type * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import * as route53 from 'aws-cdk-lib/aws-route53';
import { CloudFrontTarget, LoadBalancerTarget } from 'aws-cdk-lib/aws-route53-targets';
import { Construct } from 'constructs';

/** A name of one's own. */
export interface ServiceDomainProps {
  /** Such as users.example.com. */
  readonly domainName: string;
  /** The id of the Route 53 zone that it is in. */
  readonly hostedZoneId: string;
}

/** A domain name in Route 53, with a public certificate that renews itself. */
export class ServiceDomain extends Construct {
  /** Validated through DNS records in the zone. */
  readonly certificate: acm.Certificate;

  readonly #zone: route53.IHostedZone;

  constructor(scope: Construct, id: string, { domainName, hostedZoneId }: ServiceDomainProps) {
    super(scope, id);
    // Records are made by their full name, so the zone's own name (which only a look-up in the account tells) is not
    // needed: the domain stands in for it.
    this.#zone = route53.HostedZone.fromHostedZoneAttributes(this, 'Zone', {
      hostedZoneId,
      zoneName: domainName,
    });
    this.certificate = new acm.Certificate(this, 'Certificate', {
      domainName,
      validation: acm.CertificateValidation.fromDns(this.#zone),
    });
  }

  /** Leads the name to the load balancer. */
  pointTo(loadBalancer: elbv2.IApplicationLoadBalancer): void {
    new route53.ARecord(this, 'Alias', {
      zone: this.#zone,
      target: route53.RecordTarget.fromAlias(new LoadBalancerTarget(loadBalancer)),
    });
  }

  /** Leads another name of the zone to CloudFront, which has addresses of IPv6, too. */
  pointEdge(name: string, distribution: cloudfront.Distribution): void {
    const target = route53.RecordTarget.fromAlias(new CloudFrontTarget(distribution));
    // With a dot at its end it is a full name, to which the zone's is not added.
    const record = { zone: this.#zone, recordName: `${name}.`, target };
    new route53.ARecord(this, 'EdgeAlias', record);
    new route53.AaaaRecord(this, 'EdgeAliasIpv6', record);
  }
}
