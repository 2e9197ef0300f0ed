import type { Act } from './acts.ts';
import type { Alarms } from './alarms.ts';
import { type Band, chart, escapeHtml, type Trace } from './chart.ts';
import type { Journal } from './journal.ts';
import type { Sample } from './load.ts';
import type { TaskCount } from './monitor.ts';

/** What a report tells of. */
export interface ReportProps {
  readonly title: string;
  /**
   * What runs the service, in the plural.
   * @default Tasks
   */
  readonly places?: string;
  readonly acts: readonly Act[];
  readonly journal: Journal;
  /** Calls of all loads. */
  readonly samples: readonly Sample[];
  readonly taskCounts: readonly TaskCount[];
  readonly alarms?: Pick<Alarms, 'all' | 'changes'>;
  /** How long a minute of the alarms lasted. */
  readonly minuteMs: number;
}

const style = `
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #6b7280; --paper: #fff; --band: #eef2f7; --rule: #d5dbe3;
  --blue: #2563eb; --red: #dc2626; --green: #15803d; --amber: #b45309; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --soft: #98a1ae; --paper: #14171b; --band: #1f252d;
  --rule: #333b46; --blue: #6ea0ff; --red: #f87171; --green: #4ade80; --amber: #fbbf24; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 1040px; margin: 2rem auto; padding: 0 1rem; }
svg { width: 100%; margin: .4rem 0; } svg text { fill: var(--ink); font: 12px system-ui, sans-serif; }
svg .axis, svg .label { fill: var(--soft); } svg .title { font-weight: 600; } .grid { stroke: var(--rule); }
.band { fill: var(--band); stroke: var(--rule); stroke-width: .5; } .band.bad { fill: var(--red); fill-opacity: .18; }
path { fill: none; stroke: currentColor; } .line { stroke-width: 1.5; } .bars { stroke-width: 3; }
.calls, tspan.calls { color: var(--blue); fill: var(--blue); }
.failed, tspan.failed { color: var(--red); fill: var(--red); }
.good, tspan.good { color: var(--green); fill: var(--green); }
.slow, tspan.slow { color: var(--amber); fill: var(--amber); }
path.calls, path.failed, path.good, path.slow { fill: none; }
table { border-collapse: collapse; width: 100%; margin: .6rem 0 1.4rem; }
th, td { text-align: left; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid var(--rule); vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.problem { color: var(--red); white-space: pre-wrap; }
pre { overflow-x: auto; font-size: 13px; } .verdict { font-size: 1.2rem; font-weight: 600; }`;

/**
 * One page of HTML that needs nothing else: what was played, what came of the calls, and how all of it looked over
 * time.
 */
export function reportOf(props: ReportProps): string {
  const { title, acts, journal, samples } = props;
  const problems = acts.flatMap((it) => it.problems);
  const failed = samples.filter((it) => it.error !== undefined).length;
  const verdict = problems.length === 0 ? 'passed' : `FAILED: ${problems.length} problems`;
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Rehearsal of ${escapeHtml(title)}: ${escapeHtml(verdict)}</title><style>${style}</style>
<h1>Rehearsal of ${escapeHtml(title)}</h1>
<p class="verdict${problems.length > 0 ? ' problem' : ''}">${escapeHtml(verdict)}.
${samples.length} calls, ${failed} failed.</p>
<p>A minute of the alarms lasted ${props.minuteMs / 1000} s.
Whether a failed call is a problem is up to the act that it fell into.</p>
${charts(props)}
<h2>Acts</h2>${actTable(acts, journal.beganMs)}
<h2>Calls</h2>${callTable(samples)}
${alarmTable(props.alarms)}
<h2>Left out, or stood in for</h2><ul>${[...journal.leftOut].map((it) => `<li>${escapeHtml(it)}</li>`).join('')}</ul>
<h2>What happened</h2><pre>${journal.events
    .map(({ atMs, text }) => escapeHtml(`${secondsOf(atMs, journal.beganMs).padStart(7)} s  ${text}`))
    .join('\n')}</pre></html>
`;
}

const secondsOf = (atMs: number, beganMs: number) => ((atMs - beganMs) / 1000).toFixed(1);

/** About as many points as a picture can show. */
const mostPoints = 300;

function charts({ acts, journal, samples, taskCounts, alarms, places = 'Tasks' }: ReportProps): string {
  const underLoad = acts.filter((it) => it.calls > 0);
  const fromMs = underLoad[0]?.beganMs ?? journal.beganMs;
  const endMs = underLoad.at(-1)?.endedMs ?? fromMs;
  const seconds = Math.max(1, (endMs - fromMs) / 1000); // nothing is called where nothing was deployed
  const at = (ms: number) => (ms - fromMs) / 1000;
  const width = Math.max(1, seconds / mostPoints);
  const buckets = new Map<number, Sample[]>();
  for (const sample of samples) {
    if (sample.endedMs < fromMs || sample.endedMs > endMs) continue;
    const index = Math.floor(at(sample.endedMs) / width);
    const bucket = buckets.get(index);
    if (bucket) bucket.push(sample);
    else buckets.set(index, [sample]);
  }
  const over = (value: (of: readonly Sample[]) => number): [number, number][] =>
    Array.from({ length: Math.ceil(seconds / width) }, (_, index) => [
      index * width,
      value(buckets.get(index) ?? []),
    ]);
  const isFailed = (it: Sample) => it.error !== undefined;
  const bands = underLoad.map((act, index): Band => {
    const [fromSeconds, toSeconds] = [at(act.beganMs), at(act.endedMs)];
    return {
      label: String(index + 1),
      title: act.name,
      fromSeconds,
      toSeconds,
      isBad: act.problems.length > 0,
    };
  });
  const picture = (title: string, unit: string, ...traces: Trace[]) =>
    chart({ title, unit, seconds, traces, bands });
  const count = (name: string, kind: string, of: (it: TaskCount) => number): Trace => {
    const within = taskCounts.filter((it) => it.atMs >= fromMs && it.atMs <= endMs);
    return { name, style: kind, shape: 'steps', points: within.map((it) => [at(it.atMs), of(it)]) };
  };
  const firing = (alarms?.changes ?? []).filter((it) => it.state === 'ALARM' && it.atMs >= fromMs);
  return [
    picture(
      'Calls',
      'a second',
      { name: 'ended', style: 'calls', shape: 'line', points: over((of) => of.length / width) },
      {
        name: 'failed',
        style: 'failed',
        shape: 'bars',
        points: over((of) => of.filter(isFailed).length / width),
      },
    ),
    picture(
      'Latency of calls that are not slow by intent',
      'ms',
      { name: 'median', style: 'good', shape: 'line', points: over((of) => quantile(quick(of), 0.5)) },
      { name: '99 in 100', style: 'slow', shape: 'line', points: over((of) => quantile(quick(of), 0.99)) },
    ),
    picture(
      places,
      'number',
      count('running', 'calls', (it) => it.running),
      count('healthy, with calls', 'good', (it) => it.healthy),
      count('finishing', 'slow', (it) => it.draining),
    ),
    picture('Alarms that go off', 'number', {
      name: 'alarms',
      style: 'failed',
      shape: 'bars',
      points: firing.map((it): [number, number] => [at(it.atMs), 1]),
    }),
  ].join('\n');
}

const quick = (samples: readonly Sample[]) => samples.filter((it) => !/slow/i.test(it.kind));

function quantile(samples: readonly Sample[], part: number): number {
  const sorted = samples.map((it) => it.endedMs - it.beganMs).sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}

function actTable(acts: readonly Act[], beganMs: number): string {
  let number = 0;
  const rows = acts.map(({ name, beganMs: from, endedMs, calls, failed, problems }) => {
    const label = calls > 0 ? String(++number) : '';
    const what = `${escapeHtml(name)}${problems.map((it) => `<div class="problem">${escapeHtml(it)}</div>`).join('')}`;
    const numbers = [secondsOf(from, beganMs), secondsOf(endedMs, from), calls || '', calls ? failed : ''];
    return `<tr><td>${label}<td>${what}${numbers.map((it) => `<td class="number">${it}`).join('')}`;
  });
  const heads = ['at, s', 'took, s', 'calls', 'failed'].map((it) => `<th class="number">${it}`).join('');
  return `<table><tr><th><th>act${heads}${rows.join('')}</table><p>Calls of an act are those without retries.</p>`;
}

function callTable(samples: readonly Sample[]): string {
  const kinds = [...new Set(samples.map((it) => it.kind))].sort();
  const rows = kinds.map((kind) => {
    const of = samples.filter((it) => it.kind === kind);
    const failed = of.filter((it) => it.error !== undefined).length;
    const numbers = [of.length, failed, ...[0.5, 0.99, 1].map((part) => quantile(of, part).toFixed(1))];
    return `<tr><td>${escapeHtml(kind)}${numbers.map((it) => `<td class="number">${it}`).join('')}`;
  });
  const heads = ['calls', 'failed', 'median, ms', '99 in 100, ms', 'longest, ms'].map(
    (it) => `<th class="number">${it}`,
  );
  return `<table><tr><th>kind${heads.join('')}${rows.join('')}</table>`;
}

function alarmTable(alarms: ReportProps['alarms']): string {
  if (!alarms) return '';
  const rows = alarms.all.map(({ name, state, range }) => {
    const times = alarms.changes.filter((it) => it.name === name && it.state === 'ALARM').length;
    const shown = range.map((it) => (it === undefined ? '–' : Number(it.toFixed(2)))).join(' ');
    return `<tr><td>${escapeHtml(name)}<td>${state}<td class="number">${times}<td>${shown}`;
  });
  const heads = '<th>alarm<th>in the end<th class="number">went off<th>its last data points';
  return `<h2>Alarms</h2><table><tr>${heads}${rows.join('')}</table>`;
}
