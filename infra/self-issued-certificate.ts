import { CustomResource, Duration, Names, RemovalPolicy, Stack, Token, Validations } from 'aws-cdk-lib';
import * as acm from 'aws-cdk-lib/aws-certificatemanager';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';

/** The tag by which the function knows its certificates: `functions/certificate/self-issued.ts` has it too. */
const ownerTag = 'self-issued';

/** What to issue a certificate for. */
export interface SelfIssuedCertificateProps {
  /** The name that clients connect to: a load balancer's own. Another name makes another certificate and authority. */
  readonly dnsName: string;
  /** The folder of the bundled function, `dist/certificate` after `npm run build`. */
  readonly code: string;
}

/**
 * HTTPS without a domain: a certificate for a load balancer's own name, signed by an authority made for it.
 *
 * No public authority certifies a name under amazonaws.com, so clients are given the authority to trust. It may sign
 * for servers of that one name only (critical name constraints), so trusting it gives it power over nothing else. Its
 * private key stays in an SSM SecureString parameter: with it, a certificate that is about to expire is renewed under
 * the same ARN, and clients notice nothing. Where it is gone, nothing is renewed, and `CertificateExpiry` tells of it:
 * another authority would lock out every client. Reading the parameter takes the permission `ssm:GetParameter` on it,
 * which here only the function has.
 *
 * The function looks every day and renews 60 days before the end. Deleting the stack removes certificate and
 * authority.
 */
export class SelfIssuedCertificate extends Construct {
  /** The certificate, in ACM. */
  readonly certificate: acm.ICertificate;
  /** The authority's certificate (PEM), for clients to trust. */
  readonly authority: string;

  constructor(scope: Construct, id: string, props: SelfIssuedCertificateProps) {
    super(scope, id);
    const stack = Stack.of(this);
    const authorityPrefix = `/self-issued/${stack.stackName}/${nameOf(this)}`;
    const logGroup = new logs.LogGroup(this, 'Log', {
      retention: logs.RetentionDays.ONE_YEAR,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const role = new iam.Role(this, 'Role', { assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com') });
    logGroup.grantWrite(role);
    // A certificate is imported with the tag, and only what has it may be changed and deleted. Tagging takes a right of
    // its own, at the import and for certificates of before. It is kept to this one tag, and to certificates that were
    // imported and have none of another owner; of one that is about to be imported ACM may know neither yet, hence
    // IfExists. Sources: https://docs.aws.amazon.com/service-authorization/latest/reference/list_acm.html and
    // https://docs.aws.amazon.com/acm/latest/userguide/acm-conditions.html
    const certificates = {
      service: 'acm',
      resource: 'certificate/*',
      wildcardReason: 'ACM makes up the id of a certificate when it is imported; tags say which are ours.',
    };
    const tagged = (on: 'RequestTag' | 'ResourceTag') => ({ [`aws:${on}/${ownerTag}`]: authorityPrefix });
    allow(role, ['acm:ImportCertificate', 'acm:AddTagsToCertificate'], certificates, {
      StringEquals: tagged('RequestTag'),
      'ForAllValues:StringEquals': { 'aws:TagKeys': [ownerTag] },
      StringEqualsIfExists: {
        ...tagged('ResourceTag'),
        'acm:CertificateKeyPairOrigin': 'CUSTOMER_PROVIDED',
      },
    });
    const changes = ['acm:ImportCertificate', 'acm:DeleteCertificate'];
    allow(role, changes, certificates, { StringEquals: tagged('ResourceTag') });
    allow(role, ['acm:DescribeCertificate'], certificates);
    allow(role, ['ssm:GetParameter', 'ssm:PutParameter', 'ssm:DeleteParameter'], {
      service: 'ssm',
      resource: `parameter${authorityPrefix}/*`,
      wildcardReason: 'The name ends in that of the load balancer, which is not known before it is there.',
    });
    const issuer = new lambda.Function(this, 'Function', {
      description: 'Issues and renews the certificate of a load balancer without a domain',
      runtime: lambda.Runtime.NODEJS_24_X,
      architecture: lambda.Architecture.ARM_64,
      handler: 'main.handler',
      code: lambda.Code.fromAsset(props.code, { exclude: ['*.map', '**/*.map'] }),
      role,
      logGroup,
      memorySize: 256,
      timeout: Duration.minutes(15), // a deletion waits until the load balancer has let go of the certificate
    });

    const properties = { DnsName: props.dnsName, AuthorityPrefix: authorityPrefix, Owner: authorityPrefix };
    const resource = new CustomResource(this, 'Resource', {
      resourceType: 'Custom::SelfIssuedCertificate',
      serviceToken: issuer.functionArn,
      properties,
    });
    resource.node.addDependency(role); // its policy too: the first call comes at once
    this.authority = resource.getAttString('Authority');
    this.certificate = acm.Certificate.fromCertificateArn(this, 'Certificate', resource.ref);

    new events.Rule(this, 'Renewal', {
      description: 'Looks every day whether the certificate is to be renewed',
      schedule: events.Schedule.rate(Duration.days(1)),
      targets: [
        new targets.LambdaFunction(issuer, {
          event: events.RuleTargetInput.fromObject({ renew: { arn: resource.ref, properties } }),
          retryAttempts: 2,
        }),
      ],
    });
  }
}

/**
 * Tells a certificate apart in its stack: by tag and parameters its function may change it and no other. The one of the
 * Users stack has the name that 1.0.0 gave it: under another its authority would not be found, and be made anew, which
 * locks out every client.
 */
function nameOf(certificate: Construct): string {
  const { scopes } = certificate.node;
  const ids = scopes.slice(Stack.of(certificate).node.scopes.length).map((it) => it.node.id);
  return ids.join('/') === 'Service/Certificate'
    ? 'Certificate'
    : Names.uniqueResourceName(certificate, { maxLength: 100 });
}

/** Allows the actions on resources of this account and region, and tells cdk-nag why there is a wildcard. */
function allow(
  role: iam.Role,
  actions: string[],
  on: { readonly service: string; readonly resource: string; readonly wildcardReason: string },
  conditions?: Record<string, unknown>,
): void {
  const { partition, region, account } = Stack.of(role);
  const arn = (...parts: string[]) => ['arn', parts[0], on.service, ...parts.slice(1), on.resource].join(':');
  role.addToPolicy(
    new iam.PolicyStatement({ actions, resources: [arn(partition, region, account)], conditions }),
  );
  // As cdk-nag writes what is not known before the deployment.
  const written = arn(
    ...Object.entries({ Partition: partition, Region: region, AccountId: account }).map(([name, value]) =>
      Token.isUnresolved(value) ? `<AWS::${name}>` : value,
    ),
  );
  Validations.of(role).acknowledge({
    id: `AwsSolutions-IAM5[Resource::${written}]`,
    reason: on.wildcardReason,
  });
}
