// Prints what a deployment needs at some scales and which walls it meets, as docs/capacity.md shows it:
// `npx node infra/capacity.ts`. With --write it writes that page's tables and its picture.
import { readFileSync, writeFileSync } from 'node:fs';
import costs from './call-costs.json' with { type: 'json' };
import { assumed, type Needs, needsOf, type Scale, scales } from './capacity-model.ts';
import { capacityPicture } from './capacity-picture.ts';
import { capacityWalls, type Wall } from './capacity-walls.ts';

/** 2,000,000 users took 300 MB. */
const sqliteUserBytes = 150;

const whole = (value: number) => value.toLocaleString('en-US', { maximumFractionDigits: value < 10 ? 1 : 0 });
/** As `1`, `1,000` or `10^7`: what people can tell apart. */
const round = (value: number) => (value < 1e5 ? whole(value) : `10^${Math.log10(value).toFixed(0)}`);

function table(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(columns), line(columns.map(() => '---:')), ...rows.map(line)].join('\n');
}

function needsRow(scale: Scale, needs: Needs): string[] {
  return [
    round(scale.callsPerSecond),
    round(scale.users),
    `${whole(needs.tasks)} × ${needs.taskVcpu} vCPU`,
    whole(needs.readUnits),
    whole(needs.writeUnits),
    whole(needs.partitions),
    whole(needs.connections),
    whole(needs.dollars.total),
    wallsOf(scale),
  ];
}

/** The numbers of the walls that lie before a scale; the first is met first. */
function wallsOf(scale: Scale): string {
  const met = capacityWalls()
    .map(({ at, of }, place) => ({
      isMet: at <= (of === 'users' ? scale.users : scale.callsPerSecond),
      place,
    }))
    .filter(({ isMet }) => isMet);
  return met.length > 0 ? met.map(({ place }) => place + 1).join(', ') : 'none';
}

const wallRow = ({ at, of, what, change }: Wall, place: number): string[] => [
  String(place + 1),
  `${whole(at)} ${of}`,
  what,
  change,
];

/** Where the money of a month goes. */
function dollarsRow(scale: Scale, { dollars }: Needs): string[] {
  const { total, tasks, balancer, log, reads, writes, stored, watched } = dollars;
  return [
    round(scale.callsPerSecond),
    round(scale.users),
    ...[tasks, balancer, log, reads, writes, stored, watched, total].map(whole),
  ];
}

/** What one process on SQLite serves, with half of its core busy, and how large its file is. */
function sqliteTable(): string {
  const { lookUpMicros, signUpMicros } = costs.sqlite;
  const perSecond = (micros: number) => whole((assumed.busyShare * 1e6) / micros);
  const size = (users: number) => `${whole((users * sqliteUserBytes) / 1e6)} MB`;
  const users = [...new Set(scales.map((scale) => scale.users))];
  return table(
    ['look-ups a second', 'sign-ups a second', ...users.map((it) => `a file of ${round(it)} users`)],
    [[perSecond(lookUpMicros), perSecond(signUpMicros), ...users.map(size)]],
  );
}

/** What is printed above each table; on the page a heading is. */
const titles: ReadonlyMap<string, string> = new Map([
  ['needs', 'What is needed'],
  ['dollars', 'Where the money of a month goes, in dollars'],
  ['sqlite', 'One process on SQLite, without AWS, half of its core busy'],
  ['walls', 'Walls, as calls and then users meet them'],
]);

/** The tables of docs/capacity.md, by the names of their places. */
export function capacityTables(): ReadonlyMap<string, string> {
  const all = scales.map((scale) => [scale, needsOf(scale)] as const);
  return new Map([
    [
      'needs',
      table(
        [
          'calls a second',
          'users',
          'tasks',
          'read units a second',
          'write units a second, of the table',
          'partitions',
          'connections',
          '$ a month',
          'walls on the way',
        ],
        all.map(([scale, needs]) => needsRow(scale, needs)),
      ),
    ],
    [
      'dollars',
      table(
        [
          'calls a second',
          'users',
          'tasks',
          'balancer',
          'log',
          'reads',
          'writes',
          'stored',
          'watching',
          '$ a month',
        ],
        all.map(([scale, needs]) => dollarsRow(scale, needs)),
      ),
    ],
    ['sqlite', sqliteTable()],
    ['walls', table(['', 'met at', 'wall', 'what changes'], capacityWalls().map(wallRow))],
  ]);
}

/** The page with today's tables. */
export function withTables(page: string): string {
  const tables = capacityTables();
  return page.replace(
    /(<!-- figures: (\w+) -->\n)[\s\S]*?(<!-- end -->)/g,
    (place: string, begin: string, name: string, end: string) => {
      const text = tables.get(name);
      return text === undefined ? place : `${begin}${text}\n${end}`;
    },
  );
}

if (import.meta.main) {
  for (const [name, text] of capacityTables()) console.log(`${titles.get(name)}\n\n${text}\n`);
  if (process.argv.includes('--write')) {
    const page = new URL('../docs/capacity.md', import.meta.url);
    writeFileSync(page, withTables(readFileSync(page, 'utf8')));
    writeFileSync(new URL('../docs/capacity.svg', import.meta.url), capacityPicture());
  }
}
