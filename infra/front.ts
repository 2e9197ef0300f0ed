import { type Duration, Fn, Validations } from 'aws-cdk-lib';
import type * as acm from 'aws-cdk-lib/aws-certificatemanager';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import type * as s3 from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import { writeAccessLogs } from './access-logs.ts';
import { SelfIssuedCertificate } from './self-issued-certificate.ts';

/**
 * What stands before a service: a load balancer, and the listener of it that speaks HTTPS. `GrpcLoadBalancer` makes
 * one for several services; any other will do that was made elsewhere.
 */
export interface Front {
  /** The network that tasks have to be in. */
  readonly vpc: ec2.IVpc;
  readonly loadBalancer: elbv2.IApplicationLoadBalancer;
  /** Has a certificate: gRPC comes over HTTPS alone. Rules are added to it. */
  readonly listener: elbv2.IApplicationListener;
  /** After how long without a byte the load balancer ends a call: 60 seconds, unless it was told otherwise. */
  readonly idleTimeout: Duration;
}

/** What a load balancer is made from. All has a default but the certificate: give one, or `certificateCode`. */
export interface FrontProps {
  /**
   * Who may connect to the load balancer: networks of IPv4 such as 203.0.113.0/24, and prefix lists such as
   * pl-0123abcd.
   * @default whoever reaches it
   */
  readonly allowedCidrs?: readonly string[];
  /**
   * A load balancer without public addresses, for clients in the network and in those connected to it.
   * @default false
   */
  readonly internal?: boolean;
  /**
   * Mutual TLS: the load balancer serves only clients with a certificate of these authorities.
   * @default clients need no certificate
   */
  readonly clientTrustStore?: elbv2.ITrustStore;
  /**
   * The load balancer's certificate.
   * @default a self-issued one for the load balancer's own name; its authority is in `authority`
   */
  readonly certificate?: acm.ICertificate;
  /**
   * The folder of the bundled certificate function.
   * @default none: needed unless there is a `certificate`
   */
  readonly certificateCode?: string;
  /**
   * Refuses to delete the load balancer, whose name is the endpoint where there is no domain. A first deployment that
   * fails can not be rolled back with it, so set it on a stack that is there.
   * @default false
   */
  readonly deletionProtection?: boolean;
  /**
   * Where the load balancer writes a line for each request; a bucket of this region, encrypted by S3 itself. Lines hold
   * addresses of clients and URLs, with the message of a Connect GET.
   * @default nowhere: the log of the service tells of calls
   */
  readonly accessLogs?: s3.IBucket;
  /**
   * Lets you, and AWS, take a zone that fails out of service
   * (https://docs.aws.amazon.com/r53recovery/latest/dg/arc-zonal-shift.html).
   * @default false
   */
  readonly zonalShift?: boolean;
}

/** A front that was made here. */
export interface MadeFront extends Front {
  readonly loadBalancer: elbv2.ApplicationLoadBalancer;
  readonly listener: elbv2.ApplicationListener;
  readonly certificate: acm.ICertificate;
  /** The authority (PEM) of a self-issued certificate; undefined where a `certificate` was given. */
  readonly authority?: string;
}

/** Where the load balancer goes, and how long it waits. */
export interface FrontPlace {
  readonly vpc: ec2.IVpc;
  /**
   * The subnets of the load balancer.
   * @default public ones, of an `internal` one private ones
   */
  readonly subnets?: ec2.SubnetSelection;
  readonly idleTimeout: Duration;
}

/** Makes a load balancer that speaks HTTPS to whoever may connect, and answers 404 to what no rule takes. */
export function makeFront(
  scope: Construct,
  props: FrontProps,
  { vpc, subnets, idleTimeout }: FrontPlace,
): MadeFront {
  const loadBalancer = new elbv2.ApplicationLoadBalancer(scope, 'LoadBalancer', {
    vpc,
    internetFacing: !props.internal,
    vpcSubnets: subnets,
    idleTimeout,
    deletionProtection: props.deletionProtection ?? false,
    // Metadata keys may have dots and underscores, which would be dropped without a word.
    dropInvalidHeaderFields: false,
  });
  if (props.zonalShift) loadBalancer.setAttribute('zonal_shift.config.enabled', 'true');
  if (props.accessLogs) {
    writeAccessLogs(loadBalancer, props.accessLogs);
  } else {
    Validations.of(loadBalancer).acknowledge({
      id: 'AwsSolutions-ELB2',
      reason: 'Calls are in the log of the service; accessLogs writes those of the load balancer.',
    });
  }
  const { certificate, authority } = certificateOf(scope, props, loadBalancer);
  const listener = loadBalancer.addListener('Https', {
    port: 443,
    protocol: elbv2.ApplicationProtocol.HTTPS,
    certificates: [certificate],
    // TLS 1.2 with forward secrecy and GCM alone, and 1.3, by post-quantum keys where a client offers them. Source:
    // https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html
    sslPolicy: elbv2.SslPolicy.TLS13_12_RES_PQ,
    defaultAction: elbv2.ListenerAction.fixedResponse(404, { messageBody: 'not found' }), // what no rule takes: nothing
    open: !props.allowedCidrs,
    mutualAuthentication: props.clientTrustStore && {
      mutualAuthenticationMode: elbv2.MutualAuthenticationMode.VERIFY,
      trustStore: props.clientTrustStore,
    },
  });
  for (const peer of props.allowedCidrs ?? []) {
    const from = peer.startsWith('pl-') ? ec2.Peer.prefixList(peer) : ec2.Peer.ipv4(peer);
    loadBalancer.connections.allowFrom(from, ec2.Port.HTTPS, `Clients of ${peer}`);
  }
  for (const group of loadBalancer.connections.securityGroups) {
    Validations.of(group).acknowledge({
      id: 'AwsSolutions-EC23',
      reason: 'Unless allowedCidrs says otherwise anyone may connect to the load balancer, on port 443 only.',
    });
  }
  return { vpc, loadBalancer, listener, idleTimeout, certificate, authority };
}

function certificateOf(
  scope: Construct,
  { certificate, certificateCode: code = '' }: FrontProps,
  { loadBalancerDnsName: dnsName }: elbv2.ApplicationLoadBalancer,
): { certificate: acm.ICertificate; authority?: string } {
  return certificate ? { certificate } : new SelfIssuedCertificate(scope, 'Certificate', { dnsName, code });
}

/** What of a load balancer's ARN names it in metrics: `app/NAME/ID`. */
export function loadBalancerName(loadBalancer: elbv2.IApplicationLoadBalancer): string {
  if (loadBalancer instanceof elbv2.ApplicationLoadBalancer) return loadBalancer.loadBalancerFullName;
  return Fn.select(1, Fn.split('loadbalancer/', loadBalancer.loadBalancerArn));
}
