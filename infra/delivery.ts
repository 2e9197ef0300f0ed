// The roles that workflows on GitHub take to deploy: docs/delivery.md.
//   npx cdk deploy Delivery --app 'npx node infra/delivery.ts' -c repository=OWNER@ID/NAME@ID
import { App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { DeliveryStack, isRepository } from './delivery-stack.ts';

const app = new App();
const repository: unknown = app.node.tryGetContext('repository');
if (typeof repository === 'string' && isRepository(repository)) {
  new DeliveryStack(app, 'Delivery', { repository });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
} else {
  console.error(
    'repository must be that of the repository on GitHub as its tokens name it: -c repository=OWNER@ID/NAME@ID, or OWNER/NAME ' +
      'where it is older than July 2026 (docs/delivery.md)',
  );
  process.exit(1);
}
