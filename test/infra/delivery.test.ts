// Proves that delivery trusts the right workflows and no others, that the roles may do what they need and no more, and
// that the workflow's variables, roles and commands are those of the stack, of .ci/deliver and of the page.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Validations } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { AwsSolutionsChecks } from 'cdk-nag';
import { readOptions } from '../../infra/context.ts';
import { DeliveryStack, isRepository } from '../../infra/delivery-stack.ts';
import { functionStackNameOf } from '../../infra/function-stack.ts';
import { stackNameOf } from '../../infra/users-stack.ts';
import { makeApp, resourcesOf } from './synthesis.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string) => readFileSync(`${root}${path}`, 'utf8');
const workflow = read('.github/workflows/delivery.yml');

const app = makeApp();
const stack = new DeliveryStack(app, 'Delivery', { repository: 'example@1234/users@5678' });
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
    ['Plan', 'repo:example@1234/users@5678:pull_request'],
    ['Deploy', 'repo:example@1234/users@5678:environment:production'],
  ]);
});

test('a repository is named as its tokens name it, and no pattern is taken', () => {
  for (const name of ['example/users', 'example@1/users@2', 'a.b-c/d_e.f']) assert(isRepository(name), name);
  for (const name of [
    'users',
    'example/*',
    'example@1/users',
    'example/users@2',
    'example@x/users@2',
    'a/b:c',
    '',
  ])
    assert(!isRepository(name), name);
});

test('who plans may read templates alone; who deploys may take the roles of the bootstrap, and read the secrets', () => {
  const actions = resourcesOf(template, 'AWS::IAM::Policy').map(([, { Properties }]) =>
    [...JSON.stringify(Properties).matchAll(/"(\w+:[A-Z]\w+)"/g)].map(([, action]) => action),
  );
  assert.deepEqual(actions, [
    ['cloudformation:DescribeStacks', 'cloudformation:GetTemplate'],
    ['sts:AssumeRole', 'secretsmanager:GetSecretValue'],
  ]);
  const [plan] = resourcesOf(template, 'AWS::IAM::Policy').map(([, { Properties }]) =>
    [...JSON.stringify(Properties).matchAll(/:stack\/([^"]*)"/g)].map(([, name]) => name),
  );
  assert.deepEqual(plan, ['Users*/*'], 'of the stacks of the app alone');
  assert.match(
    JSON.stringify(template.toJSON()),
    /"Condition":\{"StringLike":\{"aws:ResourceTag\/aws:cloudformation:stack-name":"Users\*"\}\}/,
    'and of the secrets those of the same stacks',
  );
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

test('what was deployed is called afterwards', () => {
  const [, steps = ''] = /\n {2}deploy:\n[\s\S]*?steps:\n([\s\S]*)/.exec(workflow) ?? [];
  assert.deepEqual(
    [...steps.matchAll(/run: (\.ci\/deliver .*)/g)].map(([, command]) => command),
    ['.ci/deliver deploy', '.ci/deliver try'],
  );
  assert.match(
    steps,
    /run: \.ci\/deliver deploy\n {8}env:\n {10}GH_TOKEN: /,
    'which asks for the head of main',
  );
});

test('its variables and secrets are in docs/delivery.md', () => {
  const page = read('docs/delivery.md');
  for (const [, name] of workflow.matchAll(/(?:vars|secrets)\.(\w+)/g))
    assert(page.includes(`\`${name}\``), name);
});

test('in GitHub Actions main alone is deployed, whatever rules the environment has', () => {
  for (const ref of ['refs/heads/topic', 'refs/pull/1/merge', 'refs/tags/main', undefined]) {
    const { status, stdout, stderr } = deliver(['deploy'], { GITHUB_ACTIONS: 'true', GITHUB_REF: ref });
    assert.equal(status, 1);
    assert.equal(stdout, '');
    assert.match(stderr, /^::error::deploy: GitHub Actions deploys from refs\/heads\/main alone, not from /);
  }
});

test('in GitHub Actions the head of main alone is deployed, whenever a delivery is run', (t) => {
  const [here, later] = ['a'.repeat(40), 'f'.repeat(40)];
  const github = {
    GITHUB_ACTIONS: 'true',
    GITHUB_REF: 'refs/heads/main',
    GITHUB_REPOSITORY: 'example/users',
  };
  // `git`, `gh` and `npx` by name alone: a checkout, GitHub, and what would be deployed.
  const withHead = (head: string, ...options: string[]) => {
    const folder = mkdtempSync(join(tmpdir(), 'users-deliver-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const command = (name: string, text: string) =>
      writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    command('git', `[ "$*" = 'rev-parse HEAD' ] && echo ${here}`);
    command('gh', `echo "gh $*" >&2; echo ${head}`);
    command('npx', 'echo "npx $*"');
    return deliver(['deploy', '-c', 'stage=test', ...options], {
      ...github,
      PATH: `${folder}:${process.env.PATH}`,
    });
  };
  const older = withHead(later);
  assert.deepEqual([older.status, older.stdout], [1, ''], 'nothing is deployed');
  assert.match(older.stderr, /^gh api repos\/example\/users\/commits\/main --jq \.sha\n/);
  assert.ok(older.stderr.includes(`::error::deploy: this is ${here}, and main is at ${later}`), older.stderr);
  const head = withHead(here);
  assert.equal(head.status, 0, head.stderr);
  assert.match(head.stdout, /^npx cdk deploy --all --require-approval never .*-c stage=test\n$/);
  const isPinned = /^ARG BASE=.*@sha256:/m.test(read('functions/users/Dockerfile'));
  assert.equal(head.stderr.includes('::warning::the base of the image is a tag'), !isPinned);
  assert.doesNotMatch(withHead(here, '-c', 'baseImage=example.com/node@sha256:0').stderr, /base/);
});

test('.ci/deliver says how to use it', () => {
  const { status, stderr } = deliver(['destroy'], {});
  assert.equal(status, 2);
  assert.match(stderr, /plan\|deploy/);
});

/** Runs .ci/deliver, with nothing else in its environment. */
function deliver(args: readonly string[], env: NodeJS.ProcessEnv) {
  return spawnSync('.ci/deliver', args, {
    cwd: root,
    encoding: 'utf8',
    env: { PATH: process.env.PATH, ...env },
  });
}
