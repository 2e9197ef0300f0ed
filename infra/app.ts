import { App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { readOptions } from './context.ts';
import { FunctionStack, functionStackNameOf } from './function-stack.ts';
import { stackNameOf, UsersStack } from './users-stack.ts';

const app = new App();
try {
  const options = readOptions(app.node);
  const containers =
    options.home === 'function' ? undefined : new UsersStack(app, stackNameOf(options), { options });
  if (options.home !== 'container') {
    new FunctionStack(app, functionStackNameOf(options), { options, shared: containers });
  }
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
} catch (error) {
  // A setting that can't be used, most likely: the sentence is what helps, not where it was thrown.
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
