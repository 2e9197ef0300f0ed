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
    this.#zone = zoneOf(this, hostedZoneId, domainName);
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

  /** Leads another name of the zone to CloudFront. */
  pointEdge(name: string, distribution: cloudfront.Distribution): void {
    pointToEdge(this, this.#zone, name, distribution);
  }
}

/** A name in a zone of Route 53 that leads to CloudFront. Its certificate is the distribution's. */
export class EdgeDomain extends Construct {
  constructor(
    scope: Construct,
    id: string,
    {
      domainName,
      hostedZoneId,
      distribution,
    }: ServiceDomainProps & { readonly distribution: cloudfront.Distribution },
  ) {
    super(scope, id);
    pointToEdge(this, zoneOf(this, hostedZoneId, domainName), domainName, distribution);
  }
}

/**
 * Records are made by their full name, so the zone's own name (which only a look-up in the account tells) is not
 * needed: the domain stands in for it.
 */
function zoneOf(scope: Construct, hostedZoneId: string, zoneName: string): route53.IHostedZone {
  return route53.HostedZone.fromHostedZoneAttributes(scope, 'Zone', { hostedZoneId, zoneName });
}

/** Leads a name to CloudFront, which has addresses of IPv6, too. */
function pointToEdge(
  scope: Construct,
  zone: route53.IHostedZone,
  name: string,
  distribution: cloudfront.Distribution,
): void {
  const target = route53.RecordTarget.fromAlias(new CloudFrontTarget(distribution));
  // With a dot at its end it is a full name, to which the zone's is not added.
  const record = { zone, recordName: `${name}.`, target };
  new route53.ARecord(scope, 'EdgeAlias', record);
  new route53.AaaaRecord(scope, 'EdgeAliasIpv6', record);
}
