import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Stack, Validations } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { AwsSolutionsChecks } from 'cdk-nag';
import type { Construct } from 'constructs';
import { readOptions } from '../../infra/context.ts';
import { stackNameOf, UsersStack } from '../../infra/users-stack.ts';

/** What a template says of one resource. */
export interface Resource {
  readonly Type: string;
  // The properties of any type of resource: the tests say what they expect of them.
  readonly Properties: Record<string, unknown>;
  readonly DeletionPolicy?: string;
  readonly UpdateReplacePolicy?: string;
}

const folder = mkdtempSync(join(tmpdir(), 'users-synthesis-'));
process.on('exit', () => rmSync(folder, { recursive: true }));

/** Stands in for the bundled function: a template tells of it only by its digest. */
export const certificateCode = join(folder, 'certificate');
mkdirSync(certificateCode);
writeFileSync(join(certificateCode, 'main.mjs'), 'export const handler = () => {};\n');

const cdkJson: { context: Record<string, unknown> } = JSON.parse(
  readFileSync(new URL('../../cdk.json', import.meta.url), 'utf8'),
);

const account = '123456789012';
const region = 'us-east-1';
const vpcId = 'vpc-0123456789abcdef0';
const subnetsOf = (name: string, type: string, from: number) => ({
  name,
  type,
  subnets: ['a', 'b'].map((zone, index) => ({
    subnetId: `subnet-0000000${from + index}`,
    cidr: `10.9.${from + index}.0/24`,
    availabilityZone: `${region}${zone}`,
    routeTableId: `rtb-0000000${from + index}`,
  })),
});
/** A network of somebody's, as the CDK CLI looks it up and remembers it in cdk.context.json. */
export const lookedUp = {
  env: { account, region },
  context: {
    vpcId,
    [`vpc-provider:account=${account}:filter.vpc-id=${vpcId}:region=${region}:returnAsymmetricSubnets=true`]:
      {
        vpcId,
        vpcCidrBlock: '10.9.0.0/16',
        ownerAccountId: account,
        availabilityZones: [],
        subnetGroups: [subnetsOf('Public', 'Public', 1), subnetsOf('Private', 'Private', 3)],
      },
  },
};

/** An app with the flags of cdk.json and these options, whose output is thrown away. */
export function makeApp(context: Record<string, unknown> = {}): App {
  return new App({
    context: { ...cdkJson.context, ...context },
    outdir: mkdtempSync(join(folder, 'cdk.out-')),
  });
}

/** The names of the options, as the app itself tells them to whoever gives another. */
export function optionNames(): string[] {
  try {
    readOptions(makeApp({ 'no-such': 'option' }).node);
  } catch (error) {
    const [, names] =
      /^no-such is no option: use (.+)$/.exec(error instanceof Error ? error.message : '') ?? [];
    if (names) return names.split(', ');
  }
  throw new Error('the app does not tell its options');
}

/**
 * The template of the Users stack as `npx cdk synth -c NAME=VALUE…` makes it.
 *
 * @throws Error when cdk-nag finds what is neither mended nor acknowledged; the findings are printed
 */
export function usersTemplate(context: Record<string, unknown> = {}): Template {
  const key = JSON.stringify(context);
  const template = templates.get(key) ?? synthesize(context);
  templates.set(key, template);
  return template;
}

/** Those that were made: tests only read them, and files of one process ask for the same ones. */
const templates = new Map<string, Template>();

function synthesize(context: Record<string, unknown>): Template {
  const app = makeApp(context);
  const options = readOptions(app.node);
  const env = options.vpcId ? lookedUp.env : undefined;
  const stack = new UsersStack(app, stackNameOf(options), { options, certificateCode, env });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  app.synth();
  return Template.fromStack(stack);
}

/** The tags of the stack, which CloudFormation gives to all that is in it. */
export function usersTags(context: Record<string, unknown>): Readonly<Record<string, string>> {
  const options = readOptions(makeApp(context).node);
  const { stackName, tags } = new UsersStack(makeApp(context), stackNameOf(options), {
    options,
    certificateCode,
  });
  return { ...tags.tagValues(), stackName };
}

/** What `npx cdk synth -c NAME=VALUE…` warns of. */
export function usersWarnings(context: Record<string, unknown> = {}): string[] {
  const app = makeApp(context);
  const stack = new UsersStack(app, 'Users', { options: readOptions(app.node), certificateCode });
  return Annotations.fromStack(stack)
    .findWarning('*', Match.anyValue())
    .map(({ entry }) => String(entry.data));
}

/** The template of a stack that has what `make` puts into it. */
export function templateOf(make: (scope: Construct) => void): Template {
  const stack = new Stack(makeApp(), 'Test');
  make(stack);
  return Template.fromStack(stack);
}

/** All resources of a type, by their logical id. */
export function resourcesOf(template: Template, type: string): [string, Resource][] {
  return Object.entries(template.findResources(type)).map(([id, resource]) => [
    id,
    { Type: type, ...resource, Properties: resource.Properties ?? {} },
  ]);
}

/** The one resource of a type. */
export function theOnly(template: Template, type: string): Resource {
  const found = resourcesOf(template, type);
  const [first] = found;
  if (!first || found.length !== 1)
    throw new Error(`${found.length} resources of type ${type}, one expected`);
  return first[1];
}
