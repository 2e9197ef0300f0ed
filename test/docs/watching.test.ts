// Proves that docs/watching.md has its ten questions, each with a query for Prometheus, one for the log and what to do;
// that the alarms point at them; and that what is asked of the log are fields that lines of the log have.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import { createUsersClient } from '../../client/client.ts';
import { runMain } from '../support/process.ts';
import { blocksOf } from './blocks.ts';
import { page } from './tables.ts';

const text = page('watching.md');
const blocks = blocksOf('docs/watching.md');
const questions = [...text.matchAll(/^## (.+\?)$/gm)].map(([, question = '']) => question);

it('has ten questions, each with both kinds of query and what to do', () => {
  assert.equal(questions.length, 10);
  for (const question of questions) {
    const languages = blocks.filter(({ section }) => section === question).map(({ language }) => language);
    for (const language of ['promql', 'insights'])
      assert(languages.includes(language), `${question} ${language}`);
    const [, answer = ''] = text.split(`## ${question}\n`);
    assert.match(answer.split(/^## /m)[0] ?? '', /^\*\*What to do\.\*\* [A-Z`]/m, question);
  }
});

it('answers what the alarms ask', () => {
  const alarms = readFileSync(new URL('../../infra/call-alarms.ts', import.meta.url), 'utf8');
  const asked = [...alarms.matchAll(/See "(.+?)" in docs\/watching\.md/g)].map(
    ([, question = '']) => question,
  );
  assert(asked.length >= 7);
  for (const question of asked) assert(questions.includes(question), question);
});

/** Words of Logs Insights, which are no fields. */
const words = new Set(
  'filter fields stats sort limit by as and or in desc asc pct count count_distinct min max sum bin ispresent'.split(
    ' ',
  ),
);

it('asks the log for fields that its lines have', async (t) => {
  const queries = [
    ...blocks.filter(({ language }) => language === 'insights').map(({ text }) => text),
    ...[...text.matchAll(/`(filter [^`]+)`/g)].map(([, query = '']) => query.replaceAll('\n', ' ')),
  ];
  assert(queries.length >= 14);
  const known = await fieldsOfTheLog(t);
  for (const query of queries) {
    const aliases = new Set([...query.matchAll(/\bas (\w+)/g)].map(([, alias]) => alias));
    const names = query.replaceAll(/"[^"]*"/g, '').match(/(?<![\w.])@?[a-z][\w.]*/gi) ?? [];
    for (const name of names)
      assert(words.has(name) || aliases.has(name) || known.has(name), `${name}: ${query}`);
  }
});

/** What lines of calls and others have, and what CloudWatch adds. */
async function fieldsOfTheLog(t: Parameters<typeof runMain>[0]): Promise<Set<string>> {
  // A caller who is known, a call that fails by a fault, one that misses its deadline, and more refusals than have
  // lines.
  const main = runMain(t, { API_KEY: 'A1'.repeat(16), LOG_LEVEL: 'debug' });
  const url = await main.url();
  using users = createUsersClient({ endpoint: url, token: 'A1'.repeat(16) });
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
  await users.createUser({ username: 'tom' }, { timeoutMs: 10_000, headers: { traceparent } });
  await assert.rejects(users.createUser({ username: 'tom' }));
  const refused = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' };
  for (let call = 0; call < 30; call += 1) await (await fetch(`${url}/Users/CreateUser`, refused)).text();
  await main.line('more calls were refused');
  await main.stop();
  const lines = main.printed().trimEnd().split('\n');
  const keys = lines.flatMap((line) => Object.keys(JSON.parse(line)));
  // A fault takes a bug to make: `test/infra/watching.test.ts` proves its field. pino writes an error as type and
  // message.
  return new Set([...keys, '@timestamp', '@logStream', '@message', 'fault', 'err.type', 'err.message']);
}
