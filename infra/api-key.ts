import { RemovalPolicy, Validations } from 'aws-cdk-lib';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';

/** What becomes of the key. */
export interface ApiKeyProps {
  /**
   * Deletes the key with the stack; for a trial.
   * @default false: it stays when the stack goes
   */
  readonly disposable?: boolean;
}

/**
 * The key that callers show: Secrets Manager makes it, so that it is in no template, output or log. Its text may be
 * several keys, separated by white space, while one is rotated (see docs/operating.md). Tasks read it when they start.
 */
export class ApiKey extends Construct {
  /** Where the key lies. */
  readonly secret: secretsmanager.Secret;

  constructor(scope: Construct, id: string, props: ApiKeyProps = {}) {
    super(scope, id);
    this.secret = new secretsmanager.Secret(this, 'Secret', {
      description: 'The keys of the Users service, separated by white space; each may call everything',
      // 256 bits: 43 letters and digits, which any header carries.
      generateSecretString: { passwordLength: 43, excludePunctuation: true },
      removalPolicy: props.disposable ? RemovalPolicy.DESTROY : RemovalPolicy.RETAIN,
    });
    Validations.of(this.secret).acknowledge({
      id: 'AwsSolutions-SMG4',
      reason: 'A key that changes by itself locks its callers out; people rotate it together with them.',
    });
  }

  /** For the container's environment; only the execution role may read it. */
  forContainer(): ecs.Secret {
    return ecs.Secret.fromSecretsManager(this.secret);
  }
}
