import costs from './call-costs.json' with { type: 'json' };
import {
  callWireBytes,
  indexedBytes,
  indexWriteUnits,
  logLineBytes,
  lookUpReadUnits,
  monthHours,
  prices,
  signUpStoredBytes,
  signUpWriteUnits,
} from './prices.ts';
import { defaultBounds } from './worst-bill.ts';

/** How much is asked of a deployment. */
export interface Scale {
  readonly callsPerSecond: number;
  readonly users: number;
}

/** The scales of the page. */
export const scales: readonly Scale[] = [1, 1e3, 1e5].flatMap((callsPerSecond) =>
  [1e4, 1e7, 1e9].map((users) => ({ callsPerSecond, users })),
);

/** What a call is taken to be: a look-up of one user, or of every hundred one a sign-up, without a password. */
export const signUpShare = 0.01;

/** What auto scaling gives a task: with more, it starts another, whatever their CPU does. */
export const taskCallsPerSecond = 6_000 / 60;

/** What is taken of machines and of DynamoDB. */
export const assumed = {
  /**
   * Of a task's CPU, so that one may fail, and a burst finds room. A vCPU counts as a core of the machine that
   * measured.
   */
  busyShare: 0.5,
  /** How long DynamoDB takes for a request: https://aws.amazon.com/dynamodb promises single-digit milliseconds. */
  requestMs: 5,
  /**
   * Tasks of the default size, up to the default's number of them; above it of one vCPU, which is what a process uses.
   */
  smallTask: { vcpu: defaultBounds.taskVcpu, gib: defaultBounds.taskGib, most: defaultBounds.maxTasks },
  largeTask: { vcpu: 1, gib: 2 },
  minTasks: 2,
  zones: 2,
  /** Alarms, dashboard and key, as `infra/costs.ts` has them. */
  watchedDollars: 6.3,
};

/**
 * What a partition gives and holds.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html
 */
export const partition = { readUnits: 3_000, writeUnits: 1_000, bytes: 10e9 };

/** What a new on-demand table takes at once: four partitions. Later, twice what it had to take before. */
export const newTable = { readUnits: 12_000, writeUnits: 4_000, partitions: 4 };

/** Ids that there are. */
export const userIds = 2 ** 32;

/** What a month costs, by what for, in US dollars. */
export type Dollars = Readonly<
  Record<'tasks' | 'balancer' | 'log' | 'reads' | 'writes' | 'stored' | 'watched' | 'total', number>
>;

/** What a deployment needs at a scale. */
export interface Needs {
  readonly tasks: number;
  readonly taskVcpu: number;
  /** A second, of the table; its index is written a unit for each sign-up. */
  readonly readUnits: number;
  readonly writeUnits: number;
  readonly indexWriteUnits: number;
  /** To the table, a second. */
  readonly requests: number;
  /** Partitions of the table, at least. */
  readonly partitions: number;
  /** To DynamoDB, of all tasks: requests that are under way at once. */
  readonly connections: number;
  readonly dollars: Dollars;
}

interface Cost {
  readonly cpuMicros: number;
  readonly requests: number;
}

/** What a call of the mix costs on a task that has so many under way: between two measurements, by their logarithm. */
export function callCost(inFlight: number): Cost {
  const lookUp = between(costs.lookUp, inFlight);
  const signUp = between(costs.signUp, inFlight);
  const mixed = (of: (cost: Cost) => number) => (1 - signUpShare) * of(lookUp) + signUpShare * of(signUp);
  return { cpuMicros: mixed((it) => it.cpuMicros), requests: mixed((it) => it.requests) };
}

function between(measured: readonly (Cost & { readonly inFlight: number })[], inFlight: number): Cost {
  const above = measured.findIndex((it) => it.inFlight >= inFlight);
  const to = measured.at(above);
  const from = measured.at(Math.max(0, above - 1));
  if (to === undefined || from === undefined) throw new Error('infra/call-costs.json is empty');
  if (above <= 0) return to;
  const part = Math.log(inFlight / from.inFlight) / Math.log(to.inFlight / from.inFlight);
  const mix = (a: number, b: number) => a + part * (b - a);
  return { cpuMicros: mix(from.cpuMicros, to.cpuMicros), requests: mix(from.requests, to.requests) };
}

/**
 * The tasks of a size that run: as many as the CPU needs, or as auto scaling starts for so many calls, up to the
 * default of `maxTasks`. Calls share requests, so the more of them each task has, the less each call costs.
 */
function tasksFor(callsPerSecond: number, vcpu: number): { tasks: number; requests: number } {
  const { minTasks, smallTask } = assumed;
  let tasks = Math.max(minTasks, Math.min(smallTask.most, Math.ceil(callsPerSecond / taskCallsPerSecond)));
  // Each round adds tasks until they are enough: with more of them, calls cost more, never less.
  for (;;) {
    const inFlight = Math.max(1, (callsPerSecond / tasks) * (assumed.requestMs / 1000));
    const { cpuMicros, requests } = callCost(inFlight);
    const enough = Math.ceil((callsPerSecond * cpuMicros) / 1e6 / (vcpu * assumed.busyShare));
    if (enough <= tasks) return { tasks, requests: requests * callsPerSecond };
    tasks += Math.max(1, Math.floor((enough - tasks) / 8));
  }
}

/** Of drawn ids some are taken; then a sign-up is tried, and paid for, again. */
const triesOfSignUp = (users: number) => 1 / (1 - Math.min(users / userIds, 0.999));

/** What a deployment needs at a scale, and what that costs. */
export function needsOf({ callsPerSecond, users }: Scale): Needs {
  const { smallTask, largeTask } = assumed;
  const small = tasksFor(callsPerSecond, smallTask.vcpu);
  const isSmall = small.tasks <= smallTask.most;
  const size = isSmall ? smallTask : largeTask;
  const { tasks, requests } = isSmall ? small : tasksFor(callsPerSecond, largeTask.vcpu);
  const signUps = callsPerSecond * signUpShare;
  const readUnits = callsPerSecond * (1 - signUpShare) * lookUpReadUnits;
  const writeUnits = signUps * signUpWriteUnits * triesOfSignUp(users);
  const indexWrites = signUps * indexWriteUnits;
  const byUnits = Math.ceil(readUnits / partition.readUnits + writeUnits / partition.writeUnits);
  const bySize = Math.ceil((users * signUpStoredBytes) / partition.bytes);
  const seconds = monthHours * 3600;
  const gigabytesHour = (callsPerSecond * 3600 * callWireBytes) / 1e9;
  const parts = {
    tasks:
      tasks *
      monthHours *
      (size.vcpu * prices.fargateArmVcpuHour + size.gib * prices.fargateArmGibHour + prices.publicIpv4Hour),
    balancer:
      monthHours *
      (prices.loadBalancerHour +
        gigabytesHour * prices.loadBalancerCapacityUnitHour +
        assumed.zones * prices.publicIpv4Hour),
    log: ((callsPerSecond * seconds * logLineBytes) / 1e9) * prices.logGigabyte,
    reads: ((readUnits * seconds) / 1e6) * prices.dynamoMillionReadUnits,
    writes: (((writeUnits + indexWrites) * seconds) / 1e6) * prices.dynamoMillionWriteUnits,
    stored: ((users * (signUpStoredBytes + indexedBytes)) / 1e9) * prices.dynamoGigabyteMonth,
    watched: assumed.watchedDollars,
  };
  return {
    tasks,
    taskVcpu: size.vcpu,
    readUnits,
    writeUnits,
    indexWriteUnits: indexWrites,
    requests,
    partitions: Math.max(newTable.partitions, byUnits, bySize),
    connections: Math.max(tasks, Math.ceil((requests * assumed.requestMs) / 1000)),
    dollars: { ...parts, total: Object.values(parts).reduce((sum, one) => sum + one, 0) },
  };
}
