import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Validations } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import { AwsSolutionsChecks } from 'cdk-nag';
import { HelloStack } from '../../infra/examples/hello-stack.ts';
import { ShopStack } from '../../infra/examples/shop-stack.ts';
import { certificateCode, makeApp } from './synthesis.ts';

// Stands in for the built program: a template tells of it only by its digest.
const folder = mkdtempSync(join(tmpdir(), 'hello-image-'));
process.on('exit', () => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, 'Dockerfile'), 'FROM scratch\n');
const image = { folder, architecture: ecs.CpuArchitecture.ARM64 };

const examples = { Hello: HelloStack, Shop: ShopStack };

/**
 * The template of an example.
 *
 * @throws Error when cdk-nag finds what is neither mended nor acknowledged; the findings are printed
 */
export function exampleTemplate(name: keyof typeof examples): Template {
  const app = makeApp();
  const stack = new examples[name](app, name, { image, certificateCode });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  app.synth();
  return Template.fromStack(stack);
}
