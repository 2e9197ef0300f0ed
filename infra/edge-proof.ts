import { RemovalPolicy, Validations } from 'aws-cdk-lib';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';

/** A header and the value that it must have. */
export interface RequiredHeader {
  readonly name: string;
  readonly value: string;
}

/**
 * By what a load balancer, or a function, knows CloudFront: a header that it adds to each request, with a value that
 * Secrets Manager makes. Without it anybody could go past CloudFront, and claim any address in `x-forwarded-for`.
 * Source: https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/restrict-access-to-load-balancer.html
 *
 * The value is in no template, but who may describe listener rules or distributions of the account can read it.
 */
export class EdgeProof extends Construct {
  readonly header: RequiredHeader;
  /** Holds the value. */
  readonly secret: secretsmanager.ISecret;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    const secret = new secretsmanager.Secret(this, 'Secret', {
      description: 'The header by which the service knows what comes from CloudFront',
      // A condition of a rule has 128 characters at most, and takes * and ? for wildcards.
      generateSecretString: { passwordLength: 43, excludePunctuation: true },
      removalPolicy: RemovalPolicy.DESTROY,
    });
    Validations.of(secret).acknowledge({
      id: 'AwsSolutions-SMG4',
      reason:
        'Rules and distribution take it over when they are deployed: one that changed by itself would part them.',
    });
    this.secret = secret;
    // A reference, which CloudFormation resolves. The server knows the name (`functions/process/origin-proof.ts`).
    this.header = { name: 'x-origin-proof', value: secret.secretValue.unsafeUnwrap() };
  }
}
