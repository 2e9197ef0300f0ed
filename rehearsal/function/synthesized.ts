import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { account, credentials } from '../aws.ts';
import { root } from '../cdk.ts';
import { run } from '../command.ts';
import { Deployed } from '../deployed.ts';
import { NotRun } from '../tools.ts';
import type { PlatformOptions } from './platform.ts';
import { type Revision, zipFolder } from './revision.ts';

/** The stack of a function: what it consists of, the code and the environment of its revision, and its ceilings. */
export interface Synthesized {
  readonly stack: string;
  readonly deployed: Deployed;
  readonly revision: Revision;
  readonly options: PlatformOptions;
}

/** A resource in a template. */
interface TemplateResource {
  readonly Type: string;
  readonly Properties?: unknown;
}

/**
 * Synthesises the stack of a function with the CDK CLI, bundle and zip included. References are resolved here: moto
 * knows no Web Functions, so nothing is deployed.
 *
 * @param context options of the app
 * @param folder where everything goes
 * @throws NotRun for a stack that calls of ours can't reach here
 */
export async function synthesize(
  context: Readonly<Record<string, string>>,
  folder: string,
): Promise<Synthesized> {
  const output = join(folder, 'cdk.out');
  const options = Object.entries({ ...context, home: 'function' }).flatMap(([name, value]) => [
    '-c',
    `${name}=${value}`,
  ]);
  const env = {
    ...process.env,
    ...credentials,
    CDK_DISABLE_VERSION_CHECK: '1',
    CDK_DISABLE_CLI_TELEMETRY: 'true',
  };
  await run('npx', ['cdk', 'synth', '--quiet', '--no-notices', '--output', output, ...options], {
    cwd: root,
    env,
  });
  const stack = context.stage === undefined ? 'UsersFunction' : `UsersFunction-${context.stage}`;
  const template: { Resources: Readonly<Record<string, TemplateResource>> } = JSON.parse(
    await readFile(join(output, `${stack}.template.json`), 'utf8'),
  );
  const deployed = resolved(template.Resources);
  const [endpoint] = deployed.all('AWS::Lambda::WebFunctionEndpoint');
  const [revision] = deployed.all('AWS::Lambda::WebFunctionRevision');
  const [copy] = deployed.all('Custom::S3ObjectCopy');
  if (!endpoint || !revision || !copy) throw new Error(`the stack ${stack} has no function`);
  if (endpoint.properties.AuthType !== 'ApplicationManaged')
    throw new NotRun('auth=iam: the stand-in knows no signatures; leave auth=iam out');
  if (deployed.idsOf('AWS::CloudFront::').length > 0)
    throw new NotRun(
      'edge=true: there is no CloudFront here, and the function refuses who comes past it; leave edge out',
    );
  const { EnvironmentVariables, MaxConcurrencyPerEnvironment, TimeoutSeconds } =
    revision.properties.ServiceConfig;
  const zip = join(folder, 'function.zip');
  await zipFolder(join(output, `asset.${copy.properties.ContentHash}`), zip);
  return {
    stack,
    deployed,
    revision: { zip, environment: EnvironmentVariables },
    options: {
      timeoutMs: Number(TimeoutSeconds) * 1000,
      callsPerEnvironment: Number(MaxConcurrencyPerEnvironment),
      maxEnvironments: Number(endpoint.properties.ScalingConfig.MaxEnvironments),
      rateLimit: Number(endpoint.properties.ThrottleConfig.RateLimit),
    },
  };
}

/** The resources with their references resolved: a name is the id in the template, a secret's is an ARN. */
function resolved(resources: Readonly<Record<string, TemplateResource>>): Deployed {
  const idOf = (name: string): string => {
    const { AWS_REGION: region } = credentials;
    const pseudo: Readonly<Record<string, string>> = {
      'AWS::Region': region,
      'AWS::AccountId': account,
      'AWS::Partition': 'aws',
      'AWS::URLSuffix': 'amazonaws.com',
    };
    const type = resources[name]?.Type;
    if (type === 'AWS::SecretsManager::Secret')
      return `arn:aws:secretsmanager:${region}:${account}:secret:${name}-AbCdEf`;
    return pseudo[name] ?? name;
  };
  const resolve = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(resolve);
    if (typeof value !== 'object' || value === null) return value;
    const entries = Object.entries(value);
    const [[name, inner] = ['', undefined]] = entries;
    if (name === 'Ref' && typeof inner === 'string') return idOf(inner);
    if (name === 'Fn::GetAtt' && Array.isArray(inner)) return inner.join('.');
    if (name === 'Fn::Join' && Array.isArray(inner)) {
      const [separator, parts]: unknown[] = inner;
      const texts = resolve(parts);
      return Array.isArray(texts) ? texts.join(String(separator)) : texts;
    }
    return Object.fromEntries(entries.map(([key, it]) => [key, resolve(it)]));
  };
  const made = Object.entries(resources).map(([id, { Type, Properties }]) => [
    id,
    { type: Type, id: idOf(id), properties: resolve(Properties ?? {}) },
  ]);
  return new Deployed('SYNTHESIZED', Object.fromEntries(made));
}
