import { ArnFormat, CfnOutput, Duration, Stack, type StackProps, Validations } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';

/** Whose workflows may do what. */
export interface DeliveryStackProps extends StackProps {
  /**
   * The repository on GitHub as the subject of its tokens names it: OWNER@ID/NAME@ID, or OWNER/NAME where it is older
   * than July 2026 and has not been renamed or told otherwise since. Ids are never used again, names may be. Source:
   * https://github.blog/changelog/2026-04-23-immutable-subject-claims-for-github-actions-oidc-tokens
   */
  readonly repository: string;
}

/** Whether a text is a repository as a token names it: with both ids, or with none. */
export function isRepository(text: string): boolean {
  return /^[\w.-]+(?:@\d+\/[\w.-]+@\d+|\/[\w.-]+)$/.test(text);
}

const issuer = 'token.actions.githubusercontent.com';

/** The stacks of the app, of every home and stage: `stackNameOf` and `functionStackNameOf` name them. An id follows. */
const appStackNames = 'Users*';
const appStacks = `${appStackNames}/*`;

/**
 * The roles of `.github/workflows/delivery.yml`, which it is given by OpenID Connect: no key of AWS lies on GitHub. Who
 * plans may read what CloudFormation tells of the app's stacks, and nothing else, for any change may run its own code
 * with that role. Who deploys may take the roles that `cdk bootstrap` has made, and read the secrets of the app's
 * stacks to try what was deployed, from the environment `production` alone.
 *
 * An account has one provider of GitHub's tokens: where there is one, import it in place of the one made here.
 */
export class DeliveryStack extends Stack {
  constructor(scope: Construct, id: string, { repository, ...props }: DeliveryStackProps) {
    super(scope, id, { description: 'Delivery: what workflows on GitHub may do', ...props });
    const provider = new iam.OidcProviderNative(this, 'GitHub', {
      url: `https://${issuer}`,
      clientIds: ['sts.amazonaws.com'],
    });
    const trusted = (subject: string) =>
      new iam.OpenIdConnectPrincipal(provider, {
        StringEquals: {
          [`${issuer}:aud`]: 'sts.amazonaws.com',
          [`${issuer}:sub`]: `repo:${repository}:${subject}`,
        },
      });
    const plan = new iam.Role(this, 'Plan', { assumedBy: trusted('pull_request') });
    plan.addToPolicy(
      new iam.PolicyStatement({
        actions: ['cloudformation:DescribeStacks', 'cloudformation:GetTemplate'],
        resources: [
          this.formatArn({ service: 'cloudformation', resource: 'stack', resourceName: appStacks }),
        ],
      }),
    );
    const deploy = new iam.Role(this, 'Deploy', {
      assumedBy: trusted('environment:production'),
      maxSessionDuration: Duration.hours(2),
    });
    deploy.addToPolicy(
      new iam.PolicyStatement({
        actions: ['sts:AssumeRole'],
        resources: [
          this.formatArn({ service: 'iam', region: '', resource: 'role', resourceName: 'cdk-hnb659fds-*' }),
        ],
      }),
    );
    deploy.addToPolicy(
      new iam.PolicyStatement({
        actions: ['secretsmanager:GetSecretValue'],
        resources: [
          this.formatArn({
            service: 'secretsmanager',
            resource: 'secret',
            resourceName: '*',
            arnFormat: ArnFormat.COLON_RESOURCE_NAME,
          }),
        ],
        conditions: { StringLike: { 'aws:ResourceTag/aws:cloudformation:stack-name': appStackNames } },
      }),
    );
    for (const [role, resource, reason] of [
      [
        plan,
        `cloudformation:<AWS::Region>:<AWS::AccountId>:stack/${appStacks}`,
        'Any stack of the app may be planned; the id of a stack is made up when it is.',
      ],
      [
        deploy,
        'iam::<AWS::AccountId>:role/cdk-hnb659fds-*',
        'Those that cdk bootstrap has made, by its qualifier.',
      ],
      [
        deploy,
        'secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:*',
        'Of the stacks of the app alone, by the tag that CloudFormation gives: it makes up the names.',
      ],
    ] as const) {
      Validations.of(role).acknowledge({
        id: `AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:${resource}]`,
        reason,
      });
    }
    new CfnOutput(this, 'PlanRole', { value: plan.roleArn, description: 'AWS_PLAN_ROLE' });
    new CfnOutput(this, 'DeployRole', { value: deploy.roleArn, description: 'AWS_DEPLOY_ROLE' });
  }
}
