// Proves that docs/operating.md and docs/costs.md say what is so: the costs are those that infra/costs.ts calculates
// from what the template makes, the options and their defaults are the app's, the alarms the stack's, and the commands
// that are named exist.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { defaultTokensPerSecond } from '../../infra/callers.ts';
import { assumed } from '../../infra/capacity-model.ts';
import { costs, watchedDollars } from '../../infra/costs.ts';
import { ofContainers, ofFunctions } from '../../infra/home-contradictions.ts';
import { functionDefaults } from '../../infra/rpc-function.ts';
import { made } from '../../infra/standing-costs.ts';
import { defaultTraceRatio } from '../../infra/telemetry.ts';
import { telemetryCosts, told } from '../../infra/telemetry-costs.ts';
import { defaultMaxUnits } from '../../infra/users-table.ts';
import { defaultBounds, unbounded, worstBills } from '../../infra/worst-bill.ts';
import { exampleTemplate } from '../infra/example-templates.ts';
import { optionNames, resourcesOf, usersTemplate } from '../infra/synthesis.ts';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const page = read('docs/operating.md');
const costsPage = read('docs/costs.md');
const template = usersTemplate();

test('the costs are those that are calculated', () => {
  for (const tables of [costs(), worstBills(), telemetryCosts()])
    assert(costsPage.includes(tables), 'run `node infra/costs.ts` and put its tables into docs/costs.md');
  for (const dollars of Object.values(unbounded))
    assert(costsPage.includes(`$${dollars.toFixed(2)}`), `${dollars}`);
});

test('the costs it names are in docs/costs.md', () => {
  const [, told = ''] = /## Costs\n([\s\S]*?)\n## /.exec(page) ?? [];
  const ends = [...costsPage.matchAll(/^\| \*\*.*in all\*\*.*$/gim)].flatMap(([row]) =>
    row.match(/\d+\.\d\d/g),
  );
  const known = new Set(ends.flatMap((it) => [it, String(Math.round(Number(it)))]));
  const named = [...told.matchAll(/\$(\d+(?:\.\d\d)?)/g)].map(([, dollars = '']) => dollars);
  assert(named.length > 0);
  assert.deepEqual(
    named.filter((it) => !known.has(it)),
    [],
  );
});

test('docs/capacity.md takes the same of a month', () => {
  assert.equal(assumed.watchedDollars.toFixed(2), watchedDollars.toFixed(2));
});

test('what bounds the worst bill is what the template has', () => {
  const [[, scaling] = []] = resourcesOf(template, 'AWS::ApplicationAutoScaling::ScalableTarget');
  const [[, table] = []] = resourcesOf(template, 'AWS::DynamoDB::GlobalTable');
  const [[, task] = []] = resourcesOf(template, 'AWS::ECS::TaskDefinition');
  const settings = JSON.stringify(task?.Properties);
  assert.equal(defaultBounds.maxTasks, scaling?.Properties.MaxCapacity);
  assert.equal(defaultBounds.taskVcpu * 1024, Number(task?.Properties.Cpu));
  assert.equal(defaultBounds.taskGib * 1024, Number(task?.Properties.Memory));
  assert(JSON.stringify(table).includes(`"MaxReadRequestUnits":${defaultBounds.maxReadUnits}`));
  assert(JSON.stringify(table).includes(`"MaxWriteRequestUnits":${defaultBounds.maxWriteUnits}`));
  const { tokensPerSecond } = defaultBounds;
  assert(settings.includes(`{"Name":"TOKENS_PER_SECOND_PER_CALLER","Value":"${tokensPerSecond}"}`));
  assert.equal(settings.includes('"API_KEY"'), defaultBounds.isClosed);
  const inPrivate = resourcesOf(usersTemplate({ privateSubnets: 'true' }), 'AWS::EC2::VPCEndpoint');
  const paid = inPrivate.filter(([, { Properties }]) => Properties.VpcEndpointType === 'Interface');
  assert.equal(made.endpoints, paid.length);
});

test('what is calculated is what the template makes', () => {
  const [[, target] = []] = resourcesOf(template, 'AWS::ApplicationAutoScaling::ScalableTarget');
  const [[, task] = []] = resourcesOf(template, 'AWS::ECS::TaskDefinition');
  assert.equal(made.tasks, target?.Properties.MinCapacity);
  assert.equal(made.taskVcpu * 1024, Number(task?.Properties.Cpu));
  assert.equal(made.taskGib * 1024, Number(task?.Properties.Memory));
  assert.equal(made.zones, resourcesOf(template, 'AWS::EC2::Subnet').length);
  const metrics = (properties: unknown) => JSON.stringify(properties).match(/"MetricName"/g)?.length ?? 0;
  const alarms = resourcesOf(template, 'AWS::CloudWatch::Alarm');
  assert.equal(
    made.alarmMetrics,
    alarms.reduce((sum, [, { Properties }]) => sum + metrics(Properties), 0) + made.scalingAlarmMetrics,
  );
});

test('what a service of its own, and one on a shared load balancer, cost is what the examples make', () => {
  const metrics = (properties: unknown) => JSON.stringify(properties).match(/"MetricName"/g)?.length ?? 0;
  const watched = (example: 'Hello' | 'Shop', service: RegExp) =>
    resourcesOf(exampleTemplate(example), 'AWS::CloudWatch::Alarm')
      .filter(([id]) => service.test(id))
      .reduce((sum, [, { Properties }]) => sum + metrics(Properties), made.scalingAlarmMetrics);
  assert.equal(made.ownAlarmMetrics, watched('Hello', /^Hello/));
  assert.equal(made.sharedAlarmMetrics, watched('Shop', /^Orders/));
});

test('the table of options names all of them', () => {
  const [, table = ''] = /\| option \| of \| \|\n(.+?)\n\n/s.exec(page) ?? [];
  const rows = [...table.matchAll(/`(\w+)(?:=\w+)?`/g)].map(([, name]) => name);
  for (const name of optionNames()) assert(rows.includes(name), `${name} is not in docs/operating.md`);
});

test('the table of options says which are refused with a home', () => {
  const [, table = ''] = /\| option \| of \| \|\n\| --- \| --- \| --- \|\n(.+?)\n\n/s.exec(page) ?? [];
  const homeOf = (name: string) => {
    // It has a sentence of its own.
    if (ofContainers.includes(name) || name === 'domainName') return 'containers';
    return ofFunctions.includes(name) ? 'a function' : 'both';
  };
  for (const row of table.split('\n')) {
    const [, name = '', home] = /^\| `(\w+)[^|]*\| ([a-z ]+) \|/.exec(row) ?? [];
    assert.equal(home, homeOf(name), row);
  }
});

test('the defaults that pages tell are those that are taken', () => {
  const properties = (type: string, context = {}) =>
    resourcesOf(usersTemplate(context), type)[0]?.[1].Properties ?? {};
  const { Cpu, Memory } = properties('AWS::ECS::TaskDefinition');
  const { Memory: withCollector } = properties('AWS::ECS::TaskDefinition', { telemetry: 'adot' });
  const { MinCapacity, MaxCapacity } = properties('AWS::ApplicationAutoScaling::ScalableTarget');
  const { timeoutSeconds, maxEnvironments, rateLimit } = functionDefaults;
  const environments = `environments at a time (${maxEnvironments}, at least 2)`;
  for (const told of [
    `: ${Cpu} (a quarter of a CPU) and ${Memory} by default, with \`telemetry=adot\` ${withCollector}. `,
    `: ${MinCapacity} to ${MaxCapacity} by default, `,
    `(${timeoutSeconds} by default, 3 to 900); ${environments}; calls in a second (${rateLimit}; `,
    ` may cost on each task, ${defaultTokensPerSecond} by default, `,
    `, ${defaultMaxUnits} each by default; `,
    ` that is kept, ${defaultTraceRatio} by default; `,
  ])
    assert(page.includes(told), told);
  assert(read('docs/homes.md').includes(`| ${maxEnvironments} environments, ${rateLimit} calls a second, `));
});

test('the tables of alarms name all of them', () => {
  const rowsOf = (head: string) => {
    const [, table = ''] = new RegExp(`\\| ${head} \\| goes off when \\|\n(.+?)\n\n`, 's').exec(page) ?? [];
    return [...table.matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name);
  };
  const alarmsOf = (context: Record<string, unknown>) =>
    resourcesOf(usersTemplate(context), 'AWS::CloudWatch::Alarm').map(([id]) =>
      id.replace(/^Alarms(?:Calls)?|.{8}$/g, ''),
    );
  assert.deepEqual(rowsOf('alarm').sort(), alarmsOf({}).sort());
  const all = [...rowsOf('alarm'), ...rowsOf('alarm, by metrics')];
  assert.deepEqual(all.sort(), alarmsOf({ telemetry: 'otlp' }).sort());
});

test('telemetry costs what the template makes', () => {
  const made = (context: Record<string, unknown>, type: string) => resourcesOf(usersTemplate(context), type);
  const more = (type: string, context: Record<string, unknown>, than: Record<string, unknown> = {}) =>
    made(context, type).length - made(than, type).length;
  assert.equal(told.alarms, more('AWS::CloudWatch::Alarm', { telemetry: 'adot' }));
  const inPrivate = { privateSubnets: 'true' };
  assert.equal(told.endpoints, more('AWS::EC2::VPCEndpoint', { ...inPrivate, telemetry: 'otlp' }, inPrivate));
  const memory = (context: Record<string, unknown>) =>
    Number(made(context, 'AWS::ECS::TaskDefinition')[0]?.[1].Properties.Memory);
  assert.equal(told.collectorGib * 1024, memory({ telemetry: 'adot' }) - memory({}));
});

test('the cluster has the name by which the page finds it', () => {
  const [, name = ''] = /contains\(@, 'Users-(\w+)'\)/.exec(page) ?? [];
  const [[id] = ['']] = resourcesOf(template, 'AWS::ECS::Cluster');
  assert(name !== '' && id.startsWith(name), `${id} begins with ${name}`);
});

test('the commands it names exist', () => {
  const { scripts } = JSON.parse(read('package.json'));
  for (const [, script] of page.matchAll(/npm run ([\w:]+)/g)) assert(script && script in scripts, script);
  for (const [, file] of page.matchAll(/`((?:\.ci|infra|functions)\/[\w./-]+)`/g)) {
    assert.doesNotThrow(() => read(file ?? ''), file);
  }
});
