// Rehearses a deployment from beginning to end, on this machine and without AWS: see docs/rehearsal.md.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Acts } from './acts.ts';
import { root } from './cdk.ts';
import { faults } from './faults/all.ts';
import { Journal } from './journal.ts';
import { type Options, readOptions, usage } from './options.ts';
import { rehearse, type Seen } from './rehearse.ts';
import { rehearseFunction } from './rehearse-function.ts';
import { reportOf } from './report.ts';
import { findTools, NotRun } from './tools.ts';

const options = read();
if (options) {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'rehearsal-')));
  const journal = new Journal();
  const acts = new Acts(journal);
  const seen: Seen = { title: '', loads: [] };
  try {
    if (options.home === 'function') await rehearseFunction(options, folder, journal, acts, seen);
    else {
      const chosen = options.faults.flatMap((it) => faults[it] ?? []);
      await rehearse(await findTools(root, chosen), options, folder, journal, acts, seen);
    }
  } catch (error) {
    process.exitCode = 1;
    if (error instanceof NotRun) console.error(`rehearsal: NOT RUN, which is a failure: ${error.message}`);
    else console.error(error);
  }
  if (acts.all.length > 0) {
    await mkdir(dirname(options.report), { recursive: true });
    const samples = seen.loads.flatMap((it) => it.samples);
    const { taskCounts = [], alarms } = seen.monitor ?? {};
    const { minuteMs } = options;
    const { title, places } = seen;
    await writeFile(
      options.report,
      reportOf({ title, places, acts: acts.all, journal, samples, taskCounts, alarms, minuteMs }),
    );
    console.log(`the report: ${options.report}`);
  }
  const seconds = ((performance.now() - journal.beganMs) / 1000).toFixed(0);
  for (const act of acts.all.filter((it) => it.problems.length > 0)) {
    console.error(`${act.name}: ${act.problems.length} problems, such as ${act.problems[0]}`);
  }
  if (acts.problems.length > 0 || process.exitCode) {
    process.exitCode = 1;
    if (acts.all.length === 0 && !options.folder) await rm(folder, { recursive: true });
    else console.error(`rehearsal: FAILED after ${seconds} s; the logs are in ${folder}`);
  } else {
    if (!options.folder) await rm(folder, { recursive: true });
    console.log(`rehearsal: passed in ${seconds} s`);
  }
}

function read(): Options | undefined {
  try {
    const args = process.argv.slice(2);
    if (!args.includes('--help') && !args.includes('-h')) return readOptions(args);
    console.log(usage);
    return undefined;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 2;
    return undefined;
  }
}
