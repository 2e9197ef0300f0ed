// Proves that the report of a rehearsal is one file that needs nothing else, tells of every act and call, and is no
// place for what a service says to become part of the page.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Acts } from '../../rehearsal/acts.ts';
import { Journal } from '../../rehearsal/journal.ts';
import { Load } from '../../rehearsal/load.ts';
import { reportOf } from '../../rehearsal/report.ts';

const journal = new Journal({ isQuiet: true });
const hostile = '<script>alert(1)</script>';

/** A load whose only kind of call fails at one call, if at all. */
function loadOf(name: string, failing?: number): Load {
  let count = 0;
  const call = async () => {
    if (++count === failing) throw new Error(hostile);
  };
  const kind = { name: 'a call', call, [Symbol.dispose]() {} };
  return new Load(name, { kinds: [kind], lost: async () => ({ acknowledged: 0, lost: [] }) });
}

/** Plays an act that lasts until a call has failed. */
async function played(mayFail: boolean) {
  const acts = new Acts(journal);
  using bare = loadOf('bare', 2);
  using patient = loadOf('patient');
  await Promise.all([bare.start(), patient.start()]);
  await acts.playUnder(bare, patient, 'an act', async () => {
    while (!bare.samples.some((sample) => sample.error !== undefined)) await new Promise(setImmediate);
    return { problems: [], mayFail: () => mayFail };
  });
  await Promise.all([bare.stop(), patient.stop()]);
  acts.conclude(bare, patient);
  const samples = bare.samples;
  return {
    acts,
    html: reportOf({ title: 'x', acts: acts.all, journal, samples, taskCounts: [], minuteMs: 1000 }),
  };
}

it('a failed call is a problem, unless the act lets it fail', async () => {
  const bad = await played(false);
  assert.equal(bad.acts.problems.length, 1);
  assert.match(bad.html, /FAILED: 1 problems\.\s/);
  const good = await played(true);
  assert.deepEqual(good.acts.problems, []);
  assert.match(good.html, /passed\.\s\d+ calls, 1 failed/);
});

it('an act that throws is a problem, and the next one is played', async () => {
  const acts = new Acts(journal);
  assert.equal(await acts.play('one', async () => assert.fail('no')), false);
  assert.equal(await acts.play('two', async () => {}), true);
  assert.deepEqual(
    acts.all.map((act) => act.name),
    ['one', 'two'],
  );
});

it('needs nothing else, and takes no text for HTML', async () => {
  const { html } = await played(false);
  assert.equal((html.match(/<svg /g) ?? []).length, 4);
  assert.doesNotMatch(html, /<script|(?:src|href)=|@import|url\(/);
  assert.ok(html.includes('&lt;script&gt;'));
});

it('shows what runs the service by its name', async () => {
  const { acts } = await played(true);
  const told = { title: 'x', acts: acts.all, journal, samples: [], taskCounts: [], minuteMs: 1000 };
  assert.match(reportOf(told), /Tasks/);
  const ofFunction = reportOf({ ...told, places: 'Environments' });
  assert.match(ofFunction, /Environments/);
  assert.doesNotMatch(ofFunction, /Tasks/);
});

it('tells also of a rehearsal in which nothing was called', async () => {
  const acts = new Acts(journal);
  await acts.play('Bootstrap, deploy', async () => assert.fail('no stack'));
  const html = reportOf({ title: 'x', acts: acts.all, journal, samples: [], taskCounts: [], minuteMs: 1000 });
  assert.match(html, /FAILED: 1 problems[\s\S]+no stack/);
});
