// Prints what the homes of docs/homes.md take of what is paid for, a month, at some loads:
// `npx node infra/home-costs.ts`. The prices of Web Functions are not in infra/prices.ts, as no list was found: with
// `--request-million`, `--vcpu-hour` and `--gib-hour` in US dollars it prints what a function costs besides.
import { parseArgs } from 'node:util';
import { assumed, callCost, needsOf } from './capacity-model.ts';
import { monthHours, prices } from './prices.ts';
import { functionDefaults } from './rpc-function.ts';
import { made, watchingMonth } from './standing-costs.ts';

/** Calls in a second: nobody, a few, many, and as many as nobody has at first. */
export const loads = [0, 1, 1e3, 1e5];

/**
 * What an environment of a function has, and what an endpoint takes in a second.
 * https://docs.aws.amazon.com/lambda/latest/dg/web-functions-scaling.html
 */
const environment = { gib: 2, vcpu: 1 };
export const endpointMaxPerSecond = 10_000;

/** What a Web Function is paid for, a month, at so many calls in a second. */
export interface FunctionUse {
  readonly millionRequests: number;
  /** While it works: what waits for DynamoDB costs nothing. */
  readonly vcpuHours: number;
  readonly gibHours: number;
  readonly environments: number;
}

/** Environments are half busy, as tasks are taken to be; each has as many calls at once as it may. */
export function functionUse(callsPerSecond: number): FunctionUse {
  const inFlight = callsPerSecond * (assumed.requestMs / 1000);
  const most = Math.ceil(inFlight / functionDefaults.callsPerEnvironment);
  const { cpuMicros } = callCost(Math.max(1, Math.min(inFlight, functionDefaults.callsPerEnvironment)));
  const vcpus = (callsPerSecond * cpuMicros) / 1e6;
  const environments = Math.max(most, Math.ceil(vcpus / (environment.vcpu * assumed.busyShare)));
  return {
    millionRequests: (callsPerSecond * monthHours * 3600) / 1e6,
    vcpuHours: vcpus * monthHours,
    gibHours: environments * environment.gib * monthHours,
    environments,
  };
}

/**
 * Tasks, load balancer and what watches them, a month in US dollars: what a home costs besides the table and the log.
 */
function containerDollars(callsPerSecond: number): number {
  const { tasks, balancer, watched } = needsOf({ callsPerSecond, users: 1e4 }).dollars;
  return tasks + balancer + watched;
}

/** The key, the alarms and the dashboard of a function, a month in US dollars, whether somebody calls or not. */
export function functionWatchedDollars(): number {
  return prices.secretMonth + watchingMonth(made.functionAlarmMetrics, made.functionLogMetrics);
}

const whole = (value: number) => value.toLocaleString('en-US', { maximumFractionDigits: value < 10 ? 1 : 0 });

/** The table of the page. */
export function homeCosts(): string {
  const rows = loads.map((load) => {
    const { millionRequests, vcpuHours, gibHours, environments } = functionUse(load);
    const note = load > endpointMaxPerSecond ? ' (of several endpoints)' : '';
    const dollars = [containerDollars(load), functionWatchedDollars()];
    const cells = [load, ...dollars, millionRequests, vcpuHours, gibHours].map(whole);
    return `| ${cells.join(' | ')} | ${whole(environments)}${note} |`;
  });
  return [
    '| calls a second | container: dollars | function: dollars, and what it uses | million requests | vCPU-hours | GiB-hours | environments |',
    '| ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...rows,
  ].join('\n');
}

/** What a Web Function costs: a request, and what it takes, in US dollars. */
interface FunctionPrices {
  readonly millionRequests: number;
  readonly vcpuHour: number;
  readonly gibHour: number;
}

/** What the function costs a month at each load, a line each. */
function functionDollars({ millionRequests, vcpuHour, gibHour }: FunctionPrices): string[] {
  return loads.map((load) => {
    const use = functionUse(load);
    const dollars = use.millionRequests * millionRequests + use.vcpuHours * vcpuHour + use.gibHours * gibHour;
    return `${whole(load)} calls a second: ${whole(functionWatchedDollars() + dollars)} dollars a month as a function`;
  });
}

const usage = `usage: npx node infra/home-costs.ts [--request-million DOLLARS --vcpu-hour DOLLARS --gib-hour DOLLARS]

Prints the table of docs/homes.md. With the prices of Web Functions in your region, all three, it prints what the function
costs besides: of a million requests, of an hour of active CPU, and of an hour of a GiB.`;

/** @throws Error with what to give */
function readPrices(args: readonly string[]): FunctionPrices | undefined {
  const text = { type: 'string' } as const;
  const names = ['request-million', 'vcpu-hour', 'gib-hour'] as const;
  const options = { 'request-million': text, 'vcpu-hour': text, 'gib-hour': text };
  const { values } = parseArgs({ args: [...args], options });
  const missing = names.filter((it) => values[it] === undefined);
  if (missing.length === names.length) return undefined;
  if (missing.length > 0) {
    throw new Error(`give all three prices: ${missing.map((it) => `--${it}`).join(' and ')} too`);
  }
  const [millionRequests = 0, vcpuHour = 0, gibHour = 0] = names.map((name) => {
    const value = values[name] ?? '';
    if (/^\d+(\.\d+)?$|^\.\d+$/.test(value)) return Number(value);
    throw new Error(`--${name} must be dollars, such as 0.2, not ${JSON.stringify(value)}`);
  });
  return { millionRequests, vcpuHour, gibHour };
}

if (import.meta.main) {
  const args = process.argv.slice(2);
  try {
    if (args.includes('--help') || args.includes('-h')) console.log(usage);
    else {
      const given = readPrices(args);
      console.log(homeCosts());
      if (given) console.log(functionDollars(given).join('\n'));
    }
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${usage}`);
    process.exitCode = 2;
  }
}
