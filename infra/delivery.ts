// The roles that workflows on GitHub take to deploy: docs/delivery.md.
//   npx cdk deploy Delivery --app 'npx node infra/delivery.ts' -c repository=OWNER/NAME
import { App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { DeliveryStack } from './delivery-stack.ts';

const app = new App();
const repository: unknown = app.node.tryGetContext('repository');
if (typeof repository === 'string' && /^[\w.-]+\/[\w.-]+$/.test(repository)) {
  new DeliveryStack(app, 'Delivery', { repository });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
} else {
  console.error('repository must be OWNER/NAME of the repository on GitHub: -c repository=OWNER/NAME');
  process.exit(1);
}
