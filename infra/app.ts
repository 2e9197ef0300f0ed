import { App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { readOptions } from './context.ts';
import { stackNameOf, UsersStack } from './users-stack.ts';

const app = new App();
try {
  const options = readOptions(app.node);
  new UsersStack(app, stackNameOf(options), { options });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
} catch (error) {
  // A setting that can't be used, most likely: the sentence is what helps, not where it was thrown.
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
