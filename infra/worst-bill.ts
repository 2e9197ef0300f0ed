import { limits } from '../functions/limits.ts';
import {
  indexedBytes,
  indexWriteUnits,
  logLineBytes,
  prices,
  signUpStoredBytes,
  signUpWriteUnits,
  writtenItemUnits,
} from './prices.ts';

/** What bounds the bill of a deployment: options and limits. `Infinity` is no bound. */
export interface Bounds {
  readonly maxTasks: number;
  readonly taskVcpu: number;
  readonly taskGib: number;
  /** What the table serves in a second, and its index once more. */
  readonly maxReadUnits: number;
  readonly maxWriteUnits: number;
  /** Whether names are in an index. */
  readonly hasIndex: boolean;
  /** Of one caller, on each task. */
  readonly tokensPerSecond: number;
  /** Of each task, for refused calls of strangers, and again for those of known callers. */
  readonly refusedLinesPerSecond: number;
  /** Whether a caller needs a credential. */
  readonly isClosed: boolean;
}

/** What a default deployment is bounded by; a test compares it with the template. */
export const defaultBounds: Bounds = {
  maxTasks: 10,
  taskVcpu: 0.25,
  taskGib: 0.5,
  maxReadUnits: 1000,
  maxWriteUnits: 1000,
  hasIndex: true,
  tokensPerSecond: 100,
  refusedLinesPerSecond: limits.maxRefusedLinesPerSecond,
  isClosed: true,
};

/** What bounded it before there were keys, quotas and ceilings: 40,000 units are AWS's own quota for a table. */
export const boundsOfOld: Bounds = {
  ...defaultBounds,
  maxReadUnits: 40_000,
  maxWriteUnits: 40_000,
  hasIndex: false,
  tokensPerSecond: Infinity,
  refusedLinesPerSecond: Infinity,
  isClosed: false,
};

/** Who spends. */
export type Spender = 'outsider' | 'caller';

/** A part of the bill of a day, in US dollars. */
export type Item = readonly [what: string, calculation: string, dollars: number];

/** Calls that a vCPU answers or refuses in a second: 26 µs each, "Unary calls" in docs/performance.md. */
export const perVcpuSecond = 40_000;

/** What whoever means harm gets out of a vCPU, and what calls take. */
const call = {
  /**
   * What a vCPU sends in a second at the most that was measured: fewer calls, whose refusals are large. Each asked in
   * gRPC-Web text, whose answers are a third larger, for an unknown path of 255 characters with a long `x-request-id`,
   * which come back.
   */
  sentBytesPerVcpuSecond: 13_400_000,
  /** A request with its headers, as small as it gets. */
  requestBytes: 100,
  /**
   * What a change of a user writes at the most: its item, the request_id, and for name and e-mail the old and the new.
   */
  mostWriteUnits: 6 * writtenItemUnits,
  /** The call that writes most to the index, for what it writes to the table: a rename, of three items. */
  indexWritesPerWrite: (2 * indexWriteUnits) / (3 * writtenItemUnits),
};

const daySeconds = 86_400;
const dayHours = 24;
const number = (value: number) => value.toLocaleString('en-US', { maximumFractionDigits: 2 });

/**
 * The most that one can make the deployment cost in a day: an outsider, who has no credential, or a caller with one. In
 * a deployment that is open, nobody is an outsider. It adds up what can't be had at the same time; but what a vCPU can
 * do was measured on one machine, with the requests that we thought of, so it is an estimate.
 */
export function worstDay(bounds: Bounds, spender: Spender): Item[] {
  const { maxTasks, taskVcpu, taskGib } = bounds;
  const closed = spender === 'caller' ? bounds.tokensPerSecond : 0;
  const taskHour =
    taskVcpu * prices.fargateArmVcpuHour + taskGib * prices.fargateArmGibHour + prices.publicIpv4Hour;
  const calls = maxTasks * taskVcpu * perVcpuSecond;
  const sentBytes = maxTasks * taskVcpu * call.sentBytesPerVcpuSecond;
  const balancerGigabytesHour = ((calls * call.requestBytes + sentBytes) * 3600) / 1e9;
  const sentGigabytes = (sentBytes * daySeconds) / 1e9;
  // Who needs no credential may come from many addresses, each with tokens of its own.
  const metered = bounds.isClosed ? closed : Infinity;
  // Of strangers' calls, which whoever has a key can make too, and of known callers'.
  const refused = bounds.refusedLinesPerSecond * (closed > 0 ? 2 : 1);
  const lines = Math.min(calls, maxTasks * (refused + metered));
  const logGigabytes = (lines * daySeconds * logLineBytes) / 1e9;
  const reads = Math.min(bounds.maxReadUnits, maxTasks * metered);
  const writes = Math.min(bounds.maxWriteUnits, maxTasks * metered * call.mostWriteUnits);
  const signUps = Math.min(writes / signUpWriteUnits, maxTasks * metered) * daySeconds;
  // A page of few users asks every partition of the index for one token: the ceiling alone bounds it.
  const indexReads = bounds.hasIndex && metered > 0 ? bounds.maxReadUnits : 0;
  const indexWrites = bounds.hasIndex ? writes * call.indexWritesPerWrite : 0;
  const signUpBytes = signUpStoredBytes + (bounds.hasIndex ? indexedBytes : 0);
  const units = (perSecond: number, price: number) => ((perSecond * daySeconds) / 1e6) * price;
  return [
    [
      'Tasks, all of them',
      `${maxTasks} tasks × ${dayHours} h × (${taskVcpu} × ${prices.fargateArmVcpuHour} + ${taskGib} × ${prices.fargateArmGibHour} + ${prices.publicIpv4Hour})`,
      maxTasks * dayHours * taskHour,
    ],
    [
      'Load balancer',
      `${number(calls)} calls a second, ${number(balancerGigabytesHour)} GB an hour × ${dayHours} h × ${prices.loadBalancerCapacityUnitHour}`,
      balancerGigabytesHour * dayHours * prices.loadBalancerCapacityUnitHour,
    ],
    [
      'Data sent to the internet',
      `${number(sentGigabytes)} GB × ${prices.sentGigabyte}`,
      sentGigabytes * prices.sentGigabyte,
    ],
    [
      'Log',
      `${number(lines)} lines a second, ${number(logGigabytes)} GB × ${prices.logGigabyte}`,
      logGigabytes * prices.logGigabyte,
    ],
    [
      'DynamoDB, reads',
      `${number(reads)} units a second, a million × ${prices.dynamoMillionReadUnits}`,
      units(reads, prices.dynamoMillionReadUnits),
    ],
    [
      'DynamoDB, writes',
      `${number(writes)} units a second, a million × ${prices.dynamoMillionWriteUnits}`,
      units(writes, prices.dynamoMillionWriteUnits),
    ],
    [
      'DynamoDB, reads of the index',
      `${number(indexReads)} units a second, a million × ${prices.dynamoMillionReadUnits}`,
      units(indexReads, prices.dynamoMillionReadUnits),
    ],
    [
      'DynamoDB, writes of the index',
      `${number(indexWrites)} units a second, a million × ${prices.dynamoMillionWriteUnits}`,
      units(indexWrites, prices.dynamoMillionWriteUnits),
    ],
    [
      'Storing the sign-ups of that day for a month',
      `${number(signUps)} users × ${number(signUpBytes)} bytes, in GB × ${prices.dynamoGigabyteMonth}`,
      ((signUps * signUpBytes) / 1e9) * prices.dynamoGigabyteMonth,
    ],
  ];
}

/** The sum of a bill, in US dollars. */
export function inAll(items: readonly Item[]): number {
  return items.reduce((sum, [, , dollars]) => sum + dollars, 0);
}

/** The tables of docs/costs.md on the worst bill: now, and before there were bounds. */
export function worstBills(): string {
  const bills = [
    worstDay(boundsOfOld, 'outsider'),
    worstDay({ ...defaultBounds, isClosed: false }, 'outsider'),
    worstDay(defaultBounds, 'outsider'),
    worstDay(defaultBounds, 'caller'),
  ];
  const dollars = (value: number | undefined) => (value ?? 0).toFixed(2);
  const [calculated = []] = bills.slice(-1);
  const rows = calculated.map(([what, calculation], place) => {
    const cells = bills.map((bill) => dollars(bill[place]?.[2]));
    return `| ${what} | ${calculation} | ${cells.join(' | ')} |`;
  });
  return [
    '| A day, at worst | calculation, with a key | $ before | $ `auth=none` | $ without a key | $ with a key |',
    '| --- | --- | ---: | ---: | ---: | ---: |',
    ...rows,
    `| **In all** |  | ${bills.map((bill) => dollars(inAll(bill))).join(' | ')} |`,
  ].join('\n');
}

/** What nothing of ours bounds, in US dollars a day: a load balancer takes what comes. */
export const unbounded = {
  /** Each Gbit/s that reaches the load balancer: a unit carries 1 GB an hour. */
  gigabitPerSecond: (3600 / 8) * prices.loadBalancerCapacityUnitHour * dayHours,
  /** Each 1,000 new connections a second: a unit takes 25. */
  thousandConnectionsPerSecond: (1000 / 25) * prices.loadBalancerCapacityUnitHour * dayHours,
  /** 1,000 requests a second that AWS WAF looks at, where there is a rule. */
  thousandRequestsLookedAt: ((1000 * daySeconds) / 1e6) * prices.firewallMillionRequests,
};
