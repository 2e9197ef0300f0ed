import { App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { readOptions } from './context.ts';
import { FunctionStack, functionStackNameOf } from './function-stack.ts';
import { stackNameOf, UsersStack } from './users-stack.ts';

const app = new App();
try {
  const options = readOptions(app.node);
  // A network is looked up in the account that the CDK CLI deploys to; a template without one is for any account.
  const { CDK_DEFAULT_ACCOUNT: account, CDK_DEFAULT_REGION: region } = process.env;
  if (options.vpcId && !account) {
    throw new Error(
      'vpcId is looked up in your account: give the CDK CLI its credentials (AWS_PROFILE, or AWS_ACCESS_KEY_ID and ' +
        'AWS_SECRET_ACCESS_KEY) and the region of the network (AWS_REGION)',
    );
  }
  const env = options.vpcId ? { account, region } : undefined;
  const containers =
    options.home === 'function' ? undefined : new UsersStack(app, stackNameOf(options), { options, env });
  if (options.home !== 'container') {
    new FunctionStack(app, functionStackNameOf(options), { options, shared: containers, env });
  }
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
} catch (error) {
  // A setting that can't be used, most likely: the sentence is what helps, not where it was thrown.
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
