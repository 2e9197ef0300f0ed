import {
  assumed,
  callCost,
  newTable,
  partition,
  signUpShare,
  taskCallsPerSecond,
  userIds,
} from './capacity-model.ts';
import { lookUpReadUnits, signUpStoredBytes, signUpWriteUnits } from './prices.ts';
import { defaultBounds } from './worst-bill.ts';

/** Something that stops a default deployment from serving more, and what to do about it. */
export interface Wall {
  readonly what: string;
  readonly at: number;
  /** What `at` counts. */
  readonly of: 'calls a second' | 'users';
  readonly change: string;
}

/**
 * DynamoDB's quota for a table, of each kind of unit, which AWS raises on request.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
 */
const tableQuotaUnits = 40_000;

/** The tasks that `infra/` makes at the most. */
const mostTasks = 100;

/** How many ids a sign-up draws, and how often at the most it may find none that is free. */
const idTries = 8;
const failingSignUps = 0.001;

const { maxTasks, taskVcpu, tokensPerSecond, maxReadUnits, maxWriteUnits } = defaultBounds;
const readShare = (1 - signUpShare) * lookUpReadUnits;
const writeShare = signUpShare * signUpWriteUnits;
const scanDays = (users: number) => (users * signUpStoredBytes) / 4096 / maxReadUnits / 86_400;

/** What tasks serve within `busyShare` of their CPU, each with as many calls under way as it can have. */
function servedBy(tasks: number, vcpu: number): number {
  const inFlight = (calls: number) => Math.max(1, (calls / tasks) * (assumed.requestMs / 1000));
  let calls = tasks * taskCallsPerSecond;
  // The cost of a call depends on how many there are, and that on the cost: it settles in a few rounds.
  for (let round = 0; round < 20; round += 1)
    calls = (tasks * vcpu * assumed.busyShare * 1e6) / callCost(inFlight(calls)).cpuMicros;
  return calls;
}

/** All walls, in the order in which calls, and then users, meet them. */
export function capacityWalls(): Wall[] {
  const walls: Wall[] = [
    {
      at: assumed.minTasks * tokensPerSecond,
      of: 'calls a second',
      what: `one caller: ${tokensPerSecond} tokens a second on each of ${assumed.minTasks} tasks; others have their own`,
      change: '`tokensPerSecond`, or a key for each caller',
    },
    {
      at: maxTasks * taskCallsPerSecond,
      of: 'calls a second',
      what: `\`maxTasks\`: auto scaling has started all ${maxTasks}, at ${taskCallsPerSecond} calls a second each`,
      change:
        '`maxTasks`; in a stack of your own `requestsPerTaskAndMinute`, as the CPU of a task serves more',
    },
    {
      at: maxReadUnits / readShare,
      of: 'calls a second',
      what: `\`maxReadUnits\`: ${maxReadUnits} a second; calls wait, then fail with STORE_UNAVAILABLE`,
      change: '`maxReadUnits`, and with it the worst bill',
    },
    {
      at: maxWriteUnits / writeShare,
      of: 'calls a second',
      what: `\`maxWriteUnits\`: ${maxWriteUnits} a second are ${maxWriteUnits / signUpWriteUnits} sign-ups`,
      change: '`maxWriteUnits`',
    },
    {
      at: newTable.readUnits / readShare,
      of: 'calls a second',
      what: `reads of a new table: ${newTable.partitions} partitions of ${partition.readUnits} units`,
      change:
        'DynamoDB splits partitions by itself, up to twice the former peak in half an hour; warm throughput before a launch',
    },
    {
      at: servedBy(maxTasks, taskVcpu),
      of: 'calls a second',
      what: `the CPU of ${maxTasks} tasks of ${taskVcpu} vCPU, half of it busy`,
      change: '`cpu` of 1024 and `memoryMiB` of 2048: one process uses one vCPU; then `maxTasks`',
    },
    {
      at: tableQuotaUnits / readShare,
      of: 'calls a second',
      what: `AWS's quota of ${tableQuotaUnits} read units for a table`,
      change: 'a request to AWS; provisioned capacity is then a fraction of the price',
    },
    {
      at: newTable.writeUnits / writeShare,
      of: 'calls a second',
      what: `writes of a new table: ${newTable.writeUnits / signUpWriteUnits} sign-ups a second`,
      change: 'as for reads',
    },
    {
      at: servedBy(mostTasks, assumed.largeTask.vcpu),
      of: 'calls a second',
      what: `the CPU of ${mostTasks} tasks of ${assumed.largeTask.vcpu} vCPU, which is the most that \`infra/\` makes`,
      change: 'a second stack on the same table',
    },
    {
      at: tableQuotaUnits / writeShare,
      of: 'calls a second',
      what: `AWS's quota of ${tableQuotaUnits} write units for a table: ${tableQuotaUnits / signUpWriteUnits} sign-ups a second`,
      change: 'a request to AWS',
    },
    {
      at: 1e9,
      of: 'users',
      what: `a copy of them all (\`export\`) takes ${scanDays(1e9).toFixed(1)} days under \`maxReadUnits\``,
      change: "DynamoDB's own export to S3, or a higher ceiling",
    },
    {
      at: userIds * failingSignUps ** (1 / idTries),
      of: 'users',
      what: `ids of 32 bits: of 1,000 sign-ups one finds none free in ${idTries} tries`,
      change: 'none: the contract says uint32. At 10^9, sign-ups already write 1.3 times as much',
    },
  ];
  const calls = walls.filter(({ of }) => of === 'calls a second').sort((a, b) => a.at - b.at);
  return [...calls, ...walls.filter(({ of }) => of === 'users').sort((a, b) => a.at - b.at)];
}
