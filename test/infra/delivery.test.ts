// Proves that delivery trusts the right workflows and no others, that the roles may do what they need and no more, and
// that the workflow's variables, roles and commands are those of the stack, of .ci/deliver and of the page.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Validations } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { AwsSolutionsChecks } from 'cdk-nag';
import { readOptions } from '../../infra/context.ts';
import { DeliveryStack } from '../../infra/delivery-stack.ts';
import { functionStackNameOf } from '../../infra/function-stack.ts';
import { stackNameOf } from '../../infra/users-stack.ts';
import { makeApp, resourcesOf } from './synthesis.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string) => readFileSync(`${root}${path}`, 'utf8');
const workflow = read('.github/workflows/delivery.yml');

const app = makeApp();
const stack = new DeliveryStack(app, 'Delivery', { repository: 'example/users' });
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
app.synth();
const template = Template.fromStack(stack);
const roles = new Map(
  resourcesOf(template, 'AWS::IAM::Role').map(([id, { Properties }]) => [
    id.replace(/.{8}$/, ''),
    Properties,
  ]),
);

test('a change is planned by any pull request of the repository, main deployed from one environment', () => {
  const subjects = [...roles].map(([name, { AssumeRolePolicyDocument }]) => {
    const text = JSON.stringify(AssumeRolePolicyDocument);
    assert.match(text, /"StringEquals":\{"token\.actions\.githubusercontent\.com:aud":"sts\.amazonaws\.com"/);
    const [, subject] = /:sub":"([^"]+)"/.exec(text) ?? [];
    return [name, subject];
  });
  assert.deepEqual(subjects, [
    ['Plan', 'repo:example/users:pull_request'],
    ['Deploy', 'repo:example/users:environment:production'],
  ]);
});

test('who plans may read templates alone; who deploys may take the roles of the bootstrap', () => {
  const actions = resourcesOf(template, 'AWS::IAM::Policy').map(([, { Properties }]) =>
    [...JSON.stringify(Properties).matchAll(/"(\w+:[A-Z]\w+)"/g)].map(([, action]) => action),
  );
  assert.deepEqual(actions, [
    ['cloudformation:DescribeStacks', 'cloudformation:GetTemplate'],
    ['sts:AssumeRole'],
  ]);
  const [plan] = resourcesOf(template, 'AWS::IAM::Policy').map(([, { Properties }]) =>
    [...JSON.stringify(Properties).matchAll(/:stack\/([^"]*)"/g)].map(([, name]) => name),
  );
  assert.deepEqual(plan, ['Users*/*'], 'of the stacks of the app alone');
  for (const stage of [undefined, 'test']) {
    const options = { ...readOptions(makeApp().node), stage };
    for (const name of [stackNameOf(options), functionStackNameOf(options)]) assert.match(name, /^Users/);
  }
});

test('the workflow has a token where it takes a role, and pins what it uses', () => {
  assert.equal(workflow.match(/id-token: write/g)?.length, workflow.match(/role-to-assume/g)?.length);
  for (const [, version] of workflow.matchAll(/uses: \S+@(.+)/g))
    assert.match(version ?? '', /^[0-9a-f]{40} # v/);
  const [, production] = /environment: (\w+)/.exec(workflow) ?? [];
  assert.equal(production, 'production');
});

test('an older commit is not deployed over a newer one, when its CI is run again', () => {
  const [, condition = ''] = /deploy:\n[\s\S]*?if: >-\n([\s\S]*?)\n {4}#/.exec(workflow) ?? [];
  assert.match(condition, /&& github\.event\.workflow_run\.head_sha == github\.sha$/);
});

test('its variables are in docs/operating.md', () => {
  const page = read('docs/operating.md');
  for (const [, name] of workflow.matchAll(/vars\.(\w+)/g)) assert(page.includes(`\`${name}\``), name);
});

test('in GitHub Actions main alone is deployed, whatever rules the environment has', () => {
  for (const ref of ['refs/heads/topic', 'refs/pull/1/merge', 'refs/tags/main', undefined]) {
    const env = { PATH: process.env.PATH, GITHUB_ACTIONS: 'true', GITHUB_REF: ref };
    const { status, stdout, stderr } = spawnSync('.ci/deliver', ['deploy'], {
      cwd: root,
      encoding: 'utf8',
      env,
    });
    assert.equal(status, 1);
    assert.equal(stdout, '');
    assert.match(stderr, /^deploy: GitHub Actions deploys from refs\/heads\/main alone, not from /);
  }
});

test('.ci/deliver says how to use it', () => {
  const { status, stderr } = spawnSync('.ci/deliver', ['destroy'], { cwd: root, encoding: 'utf8' });
  assert.equal(status, 2);
  assert.match(stderr, /plan\|deploy/);
});
