// Prints what the homes of docs/homes.md take of what is paid for, a month, at some loads: `npx node infra/home-costs.ts`.
// The prices of Web Functions are not in infra/prices.ts, as no list of them was found: with
// `--request-million`, `--vcpu-hour` and `--gib-hour` in US dollars it prints what a function costs besides.
import { parseArgs } from 'node:util';
import { assumed, callCost, needsOf } from './capacity-model.ts';
import { monthHours } from './prices.ts';
import { functionDefaults } from './rpc-function.ts';

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

/** Tasks, load balancer and what watches them, a month in US dollars: what a home costs besides the table and the log. */
function containerDollars(callsPerSecond: number): number {
  const { tasks, balancer, watched } = needsOf({ callsPerSecond, users: 1e4 }).dollars;
  return tasks + balancer + watched;
}

const whole = (value: number) => value.toLocaleString('en-US', { maximumFractionDigits: value < 10 ? 1 : 0 });

/** The table of the page. */
export function homeCosts(): string {
  const rows = loads.map((load) => {
    const { millionRequests, vcpuHours, gibHours, environments } = functionUse(load);
    const note = load > endpointMaxPerSecond ? ' (of several endpoints)' : '';
    const cells = [load, containerDollars(load), millionRequests, vcpuHours, gibHours].map(whole);
    return `| ${cells.join(' | ')} | ${whole(environments)}${note} |`;
  });
  return [
    '| calls a second | container: dollars | function: million requests | vCPU-hours | GiB-hours | environments |',
    '| ---: | ---: | ---: | ---: | ---: | ---: |',
    ...rows,
  ].join('\n');
}

if (import.meta.main) {
  console.log(homeCosts());
  const text = { type: 'string' } as const;
  const { values } = parseArgs({ options: { 'request-million': text, 'vcpu-hour': text, 'gib-hour': text } });
  const [request, vcpu, gib] = [values['request-million'], values['vcpu-hour'], values['gib-hour']].map(
    Number,
  );
  if (request !== undefined && vcpu !== undefined && gib !== undefined && request + vcpu + gib > 0) {
    for (const load of loads) {
      const use = functionUse(load);
      const dollars = use.millionRequests * request + use.vcpuHours * vcpu + use.gibHours * gib;
      console.log(`${whole(load)} calls a second: ${whole(dollars)} dollars a month as a function`);
    }
  }
}
