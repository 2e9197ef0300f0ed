// The benchmark. What it measures and how to read it: docs/performance.md.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measureCancels } from './cancels.ts';
import { measureFunctionStarts } from './function-starts.ts';
import { measureHeld } from './held.ts';
import { streamLoads, unaryLoads } from './loads.ts';
import { describeMachine } from './machine.ts';
import type { Effort } from './measure.ts';
import { measureOverload } from './overload/measure.ts';
import { overloadPicture } from './overload/picture.ts';
import { overloadTable } from './overload/table.ts';
import {
  measureCold,
  measureLoads,
  measureMemory,
  measurePolicies,
  measureProtocols,
  measureWorkers,
} from './parts.ts';
import { picture } from './picture.ts';
import { keepToLoadCore } from './process.ts';
import { writeCallCosts } from './stores/call-costs.ts';
import { measureStores } from './stores/measure.ts';
import { simulate, simulatedSize } from './stores/simulation.ts';
import { measureSqliteSizes } from './stores/sqlite-size.ts';
import { onSqlite } from './stores/subjects.ts';
import { simulationTable, sizeTable, storeTables } from './stores/tables.ts';
import { sizeTargets, storeTargets } from './stores/targets.ts';
import { root, subjects, subjectsAt } from './subjects.ts';
import {
  cancelTable,
  heldTable,
  loadTables,
  policyTable,
  protocolTable,
  singleTable,
  type Table,
  targetTable,
  toMarkdown,
  toText,
  workerTable,
} from './tables.ts';
import { type Results, targetsOf } from './targets.ts';
import { measureTls } from './tls.ts';
import { measureWan } from './wan/measure.ts';
import { wanTable } from './wan/table.ts';

const usage = `npm run bench -- [PART…] [--starts N] [--rounds N] [--seconds N] [--only SERVER,…] [--write]

PART      unary, streams, tls, protocols, cancels, cold, memory, policies, workers, wan, overload, stores, capacity;
          all when none is named
--starts  how often the servers are started (default 2)
--rounds  how often each is under each load after a start (default 3)
--seconds how long it is each time (default 0.6)
--quick   a look at whether everything runs: its figures mean nothing
--only    some of shipped, bare, raw, grpc-js, connect-node, grpc-go, grpc-go-policies, grpcio; of stores memory,
          sqlite, dynamodb, grpc-go, connect-node
--against a commit: shipped and bare as they were then take turns with the others
--mbit    the rate of the path of wan in each direction (default: no bound)
--sizes   with stores: SQLite with up to 2,000,000 users besides, some minutes more
--write   writes the parts that were measured into docs/performance.md, and their pictures; needs all servers`;

const parts = [
  'unary',
  'streams',
  'tls',
  'protocols',
  'cancels',
  'cold',
  'memory',
  'policies',
  'workers',
  'wan',
  'overload',
  'stores',
  'capacity',
];
const { values, positionals } = readArgs();
const asked = new Set(positionals.length > 0 ? positionals : parts);
/** Stores have a machine's line and targets of their own. */
const isOfStores = [...asked].every((it) => it === 'stores' || it === 'capacity');
if (values.write && (values.only ?? values.against) !== undefined) fail('--write needs all servers of today');
if (process.platform !== 'linux' || os.availableParallelism() < 2) fail('this needs Linux and two cores');
keepToLoadCore();

const effort: Effort = {
  ...(values.quick
    ? { starts: 1, rounds: 1, seconds: 0.1 }
    : { starts: Number(values.starts), rounds: Number(values.rounds), seconds: Number(values.seconds) }),
  isQuick: values.quick,
  folder: mkdtempSync(join(os.tmpdir(), 'users-bench-')),
  say: (line) => console.error(line),
};
try {
  await run();
} finally {
  rmSync(effort.folder, { recursive: true });
}

async function run(): Promise<void> {
  const only = values.only?.split(',');
  const before = values.against === undefined ? [] : subjectsAt(values.against, effort.folder);
  const servers = [...subjects(effort.say), ...before].filter(
    ({ key }) => only?.includes(key.replace(' before', '')) ?? true,
  );
  const tables: Record<string, Table[]> = {};
  const results: { -readonly [key in keyof Results]: Results[key] } = {};
  const show = (part: string, more: Table[]) => {
    tables[part] = more;
    for (const table of more) console.log(toText(table));
    effort.say(`${part}: done, ${Math.round(performance.now() / 1000)} s after the start`);
  };
  if (asked.has('unary')) {
    results.unary = await measureLoads(unaryLoads, servers, effort);
    show('unary', loadTables(results.unary));
  }
  if (asked.has('streams')) {
    results.streams = await measureLoads(streamLoads, servers, effort);
    show('streams', loadTables(results.streams));
  }
  if (asked.has('tls')) {
    results.tls = await measureTls(effort);
    show('tls', loadTables(results.tls));
  }
  if (asked.has('protocols')) {
    results.protocols = await measureProtocols(effort);
    show('protocols', [protocolTable(results.protocols)]);
  }
  if (asked.has('cancels')) {
    results.cancels = await measureCancels(servers, effort);
    show('cancels', [cancelTable(results.cancels)]);
  }
  if (asked.has('cold')) {
    results.cold = await measureCold(effort);
    results.functionCold = await measureFunctionStarts(effort);
    show('cold', [
      singleTable('cold start', 'ms from spawn to first answer', results.cold),
      singleTable('cold start of a Web Function', 'ms from spawn to first answer', results.functionCold),
    ]);
  }
  if (asked.has('memory')) {
    results.memory = await measureMemory(servers, effort);
    results.held = await measureHeld(effort);
    const afterCalls = singleTable('memory after 30,000 unary calls, 8 × 32', 'RSS in MiB', results.memory);
    show('memory', [afterCalls, heldTable(results.held)]);
  }
  if (asked.has('policies')) show('policies', [policyTable(await measurePolicies(effort))]);
  if (asked.has('workers')) {
    results.workers = await measureWorkers(effort);
    show('workers', [workerTable(results.workers)]);
  }
  if (asked.has('wan')) {
    const path = { roundTripMs: 50, mbit: Number(values.mbit) };
    try {
      results.wan = await measureWan(servers, path, effort);
      show('wan', [wanTable(path, results.wan)]);
    } catch (error) {
      console.error(`wan: not run: ${error instanceof Error ? error.message : error}`);
      process.exitCode = 1;
    }
  }
  if (asked.has('overload')) {
    try {
      results.overload = await measureOverload(servers, effort);
      show('overload', [overloadTable(results.overload)]);
    } catch (error) {
      console.error(`overload: not run: ${error instanceof Error ? error.message : error}`);
      process.exitCode = 1;
    }
  }
  const stores = asked.has('stores') ? await measureStores(effort, values.against, only) : [];
  if (stores.length > 0) show('stores', [...storeTables(stores), targetTable(storeTargets(stores))]);
  if (asked.has('stores') && values.sizes) {
    const sizes = await measureSqliteSizes([await onSqlite(effort.folder)], effort);
    show('sizes', [sizeTable(sizes), targetTable(sizeTargets(sizes))]);
  }
  if (asked.has('capacity')) show('capacity', [simulationTable(await simulate(simulatedSize))]);
  if (!isOfStores) show('targets', [targetTable(targetsOf(results))]);
  if (values.write && stores.length > 0) writeCallCosts(stores);
  if (values.write) write(tables, results);
}

/** Puts the figures in their places in the page, between comments that name them. */
function write(tables: Readonly<Record<string, Table[]>>, { unary, streams, overload }: Results): void {
  const path = join(root, 'docs/performance.md');
  const figures = new Map(
    Object.entries(tables).map(([part, some]) => [part, some.map(toMarkdown).join('\n\n')]),
  );
  if (!isOfStores) figures.set('machine', describeMachine());
  if (asked.has('stores')) figures.set('storesMachine', describeMachine(true));
  const page = readFileSync(path, 'utf8').replace(
    /(<!-- figures: (\w+) -->\n)[\s\S]*?(<!-- end -->)/g,
    (place: string, begin: string, name: string, end: string) => {
      const text = figures.get(name);
      return text === undefined ? place : `${begin}${text}\n${end}`;
    },
  );
  writeFileSync(path, page);
  if (overload !== undefined) writeFileSync(join(root, 'docs/overload.svg'), overloadPicture(overload));
  if (unary === undefined || streams === undefined) return;
  const pictured = new Set(['8x32', '1x1', 'stream 100', 'stream 10000']);
  const rows = [...unary, ...streams];
  writeFileSync(
    join(root, 'docs/performance.svg'),
    picture(rows.filter((it) => pictured.has(it.load.key) && it.subject.key !== 'grpcio')),
  );
}

function readArgs() {
  try {
    const args = parseArgs({
      allowPositionals: true,
      options: {
        starts: { type: 'string', default: '2' },
        rounds: { type: 'string', default: '3' },
        seconds: { type: 'string', default: '0.6' },
        quick: { type: 'boolean', default: false },
        only: { type: 'string' },
        against: { type: 'string' },
        mbit: { type: 'string', default: '0' },
        sizes: { type: 'boolean', default: false },
        write: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    const unknown = args.positionals.find((it) => !parts.includes(it));
    if (unknown !== undefined) fail(`${unknown} is not a part`);
    if (args.values.help) {
      console.log(usage);
      process.exit(0);
    }
    return args;
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}

function fail(message: string): never {
  console.error(`${message}\n\n${usage}`);
  process.exit(1);
}
