// Prints what the homes of docs/homes.md cost a month, and what a function takes of what is paid for, at some loads:
// `npx node infra/home-costs.ts`. No list of prices of Web Functions was found, so they are assumed; with
// `--request-million`, `--vcpu-hour` and `--gib-hour` in US dollars it calculates with yours besides.
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

/** What a Web Function costs: a request, and what it takes, in US dollars. */
export interface FunctionPrices {
  readonly millionRequests: number;
  readonly vcpuHour: number;
  readonly gibHour: number;
}

/**
 * Assumptions, not prices: what a Web Function would cost if it cost what AWS asks for elsewhere. `lambda`: as a Lambda
 * function, where the price of memory holds the CPU. `activeCpu`: with active CPU and memory, which is what Web Functions
 * are paid by, as in AgentCore Runtime, and requests as in Lambda.
 */
export const assumedPrices = {
  lambda: {
    millionRequests: prices.lambdaMillionRequests,
    vcpuHour: 0,
    gibHour: prices.lambdaGbSecond * 3600,
  },
  activeCpu: {
    millionRequests: prices.lambdaMillionRequests,
    vcpuHour: prices.activeVcpuHour,
    gibHour: prices.sessionGbHour,
  },
} satisfies Record<string, FunctionPrices>;

/** What the function costs at such prices, with what watches it, a month in US dollars. */
export function functionDollars(callsPerSecond: number, given: FunctionPrices): number {
  const use = functionUse(callsPerSecond);
  return (
    functionWatchedDollars() +
    use.millionRequests * given.millionRequests +
    use.vcpuHours * given.vcpuHour +
    use.gibHours * given.gibHour
  );
}

/** From how many calls in a second on, in whole ones, that come evenly, containers cost less at such prices. */
export function containersCheaperFrom(given: FunctionPrices): number {
  for (let load = 1; load <= endpointMaxPerSecond; load += 1) {
    if (containerDollars(load) < functionDollars(load, given)) return load;
  }
  return Number.POSITIVE_INFINITY;
}

/** The table of the page, and from where on containers cost less. */
export function homeCosts(): string {
  const { activeCpu, lambda } = assumedPrices;
  const rows = loads.map((load) => {
    const { millionRequests, vcpuHours, gibHours, environments } = functionUse(load);
    const note = load > endpointMaxPerSecond ? ' (of several endpoints)' : '';
    const dollars = [containerDollars(load), functionDollars(load, activeCpu), functionDollars(load, lambda)];
    const cells = [load, ...dollars, millionRequests, vcpuHours, gibHours].map(whole);
    return `| ${cells.join(' | ')} | ${whole(environments)}${note} |`;
  });
  return [
    '| calls a second | containers, $ | function, $, if as AgentCore | function, $, if as Lambda | million requests | vCPU-hours | GiB-hours | environments |',
    `|${' ---: |'.repeat(8)}`,
    ...rows,
    '',
    `Where calls come evenly, containers cost less from ${containersCheaperFrom(activeCpu)} a second on, if a function costs as AgentCore; from ${containersCheaperFrom(lambda)}, if as Lambda.`,
  ].join('\n');
}

/** What the function costs at these prices, a line for each load. */
function linesOf(given: FunctionPrices): string[] {
  return loads.map(
    (load) =>
      `${whole(load)} calls a second: ${whole(functionDollars(load, given))} dollars a month as a function`,
  );
}

const usage = `usage: npx node infra/home-costs.ts [--request-million DOLLARS --vcpu-hour DOLLARS --gib-hour DOLLARS]

Prints the table of docs/homes.md, in which the prices of Web Functions are assumed. With those of your region, all three, it
prints what a function costs there: of a million requests, of an hour of active CPU, and of an hour of a GiB.`;

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
      if (given) console.log(linesOf(given).join('\n'));
    }
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${usage}`);
    process.exitCode = 2;
  }
}
