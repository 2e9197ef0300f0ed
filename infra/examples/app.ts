// The examples of docs/grpc-service.md: npx cdk deploy Hello --app 'npx node infra/examples/app.ts'
import { fileURLToPath } from 'node:url';
import { App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { buildGoImage } from './go-image.ts';
import { HelloStack } from './hello-stack.ts';
import { ShopStack } from './shop-stack.ts';

const app = new App();
const machine: unknown = app.node.tryGetContext('machine');
try {
  const props = {
    // Graviton, unless -c machine=x86_64 says otherwise.
    image: buildGoImage(String(machine ?? 'aarch64')),
    certificateCode: fileURLToPath(new URL('../../dist/certificate', import.meta.url)),
  };
  new HelloStack(app, 'Hello', props);
  new ShopStack(app, 'Shop', props);
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
} catch (error) {
  // The sentence is what helps, not where it was thrown.
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
