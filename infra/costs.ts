// Prints what the deployment costs, as docs/costs.md shows it: `node infra/costs.ts`.

import {
  callWireBytes,
  indexWriteUnits,
  logLineBytes,
  lookUpReadUnits,
  monthHours,
  prices,
  signUpWriteUnits,
  writtenItemUnits,
} from './prices.ts';
import { healthChecksPerHour, logOfChecks, made, taskHour, watchingMonth } from './standing-costs.ts';
import { telemetryCosts } from './telemetry-costs.ts';
import { worstBills } from './worst-bill.ts';

/** What differs from the defaults at the cheap end. */
interface End {
  readonly name: string;
  readonly tasks: number;
  /** Of the tasks, those that are on Spot. */
  readonly spotTasks: number;
  /** Public ones, of load balancer and tasks. */
  readonly addresses: number;
  /** Whether the load balancer is its own. */
  readonly hasBalancer: boolean;
}

const usual: End = {
  name: 'as it is',
  tasks: made.tasks,
  spotTasks: 0,
  addresses: made.zones + made.tasks,
  hasBalancer: true,
};
const ends: readonly End[] = [
  usual,
  { ...usual, name: '`minTasks=1`', tasks: 1, addresses: made.zones + 1 },
  { ...usual, name: '`spotShare=50`', spotTasks: 1 },
  { ...usual, name: '`internal`', addresses: made.tasks },
  { ...usual, name: 'on a shared load balancer', addresses: made.tasks, hasBalancer: false },
  {
    name: 'the same, `minTasks=1`, `spotShare=100`',
    tasks: 1,
    spotTasks: 1,
    addresses: 1,
    hasBalancer: false,
  },
];

/** What a call is taken to need. */
const call = {
  /** Users on a page, and bytes of each in the index, where names have some 12 characters. */
  listedUsers: 100,
  listedUserBytes: 70,
  /** What auto scaling gives a task. */
  taskCallsPerMinute: 6000,
  /** Of a core, to hash a password: "Scale" in docs/costs.md. */
  passwordSeconds: 0.02,
  /** The part of its CPU at which auto scaling adds a task. */
  busyPart: 0.6,
};

/** A line of the table: what, how it is calculated, US dollars. */
type Row = readonly [what: string, calculation: string, dollars: number];

const perMonth: readonly Row[] = [
  [
    'Fargate, ARM',
    `${made.tasks} tasks × ${monthHours} h × (${made.taskVcpu} vCPU × ${prices.fargateArmVcpuHour} + ${made.taskGib} GiB × ${prices.fargateArmGibHour})`,
    made.tasks * monthHours * taskHour,
  ],
  ['Load balancer', `${monthHours} h × ${prices.loadBalancerHour}`, monthHours * prices.loadBalancerHour],
  [
    'Public IPv4 addresses',
    `(${made.zones} of the load balancer + ${made.tasks} of the tasks) × ${monthHours} h × ${prices.publicIpv4Hour}`,
    (made.zones + made.tasks) * monthHours * prices.publicIpv4Hour,
  ],
  [
    'Log of the health checks',
    `${made.tasks} tasks × ${made.zones} zones × ${healthChecksPerHour} an hour × ${monthHours} h × ${logLineBytes} bytes, in GB × ${prices.logGigabyte}`,
    logOfChecks(made.tasks),
  ],
  ['The key', `1 secret × ${prices.secretMonth}`, prices.secretMonth],
  [
    'Alarms, their metrics, dashboard',
    `${made.alarmMetrics} metrics of alarms × ${prices.alarmMetricMonth} + 1 metric × ${prices.customMetricMonth} + 1 dashboard × ${prices.dashboardMonth}`,
    watchingMonth(made.alarmMetrics),
  ],
];

/** Each part of a month, at each of the cheap ends. */
const atEnds: readonly (readonly [what: string, of: (end: End) => number])[] = [
  [
    'Fargate, ARM',
    ({ tasks, spotTasks }) => (tasks - spotTasks * (1 - prices.fargateSpotPart)) * monthHours * taskHour,
  ],
  ['Load balancer', ({ hasBalancer }) => (hasBalancer ? monthHours * prices.loadBalancerHour : 0)],
  ['Public IPv4 addresses', ({ addresses }) => addresses * monthHours * prices.publicIpv4Hour],
  ['Log of the health checks', ({ tasks }) => logOfChecks(tasks)],
  ['The key', ({ hasBalancer }) => (hasBalancer ? prices.secretMonth : 0)],
  [
    'Alarms, their metrics, dashboard',
    ({ hasBalancer }) => watchingMonth(hasBalancer ? made.alarmMetrics : made.sharedAlarmMetrics),
  ],
];

function endsTable(): string {
  const row = (what: string, of: (end: End) => number) =>
    `| ${[what, ...ends.map((end) => of(end).toFixed(2))].join(' | ')} |`;
  return [
    `| A month, idle, $ | ${ends.map(({ name }) => name).join(' | ')} |`,
    `| --- |${' ---: |'.repeat(ends.length)}`,
    ...atEnds.map(([what, of]) => row(what, of)),
    row('**In all**', (end) => atEnds.reduce((total, [, of]) => total + of(end), 0)),
  ].join('\n');
}

const millionCalls = (callWireBytes * 1e6) / 1e9;
const logGigabytes = (logLineBytes * 1e6) / 1e9;
const anyCall: readonly Row[] = [
  [
    'Load balancer',
    `${millionCalls} GB, one unit an hour for each × ${prices.loadBalancerCapacityUnitHour}`,
    millionCalls * prices.loadBalancerCapacityUnitHour,
  ],
  ['Log', `${logGigabytes} GB × ${prices.logGigabyte}`, logGigabytes * prices.logGigabyte],
  [
    'Tasks that auto scaling adds',
    `1,000,000 ÷ (${call.taskCallsPerMinute} a minute × 60) h × ${(taskHour + prices.publicIpv4Hour).toFixed(6)}`,
    (1e6 / (call.taskCallsPerMinute * 60)) * (taskHour + prices.publicIpv4Hour),
  ],
];
/** @param units of the table, and of its index */
function onTable(what: string, units: { reads?: number; writes?: number; indexWrites?: number }): Row {
  const { reads = 0, writes = 0, indexWrites = 0 } = units;
  const read = `${reads} read unit${reads === 1 ? '' : 's'} × ${prices.dynamoMillionReadUnits}`;
  const written = indexWrites > 0 ? `(${writes} + ${indexWrites} of the index)` : String(writes);
  const write = `${written} write units × ${prices.dynamoMillionWriteUnits}`;
  return [
    `DynamoDB, for ${what}`,
    [reads > 0 && read, writes > 0 && write].filter((part) => part).join(' + '),
    reads * prices.dynamoMillionReadUnits + (writes + indexWrites) * prices.dynamoMillionWriteUnits,
  ];
}
const signUp = onTable('CreateUser', { writes: signUpWriteUnits, indexWrites: indexWriteUnits });
const lookUp = onTable('GetUsers of one user', { reads: lookUpReadUnits });
/** A name or an address leads to the user's item: two reads. */
const account = 2 * lookUpReadUnits;
/** An index is read for half the price, by 4 KB. */
const pageUnits = Math.ceil((call.listedUsers * call.listedUserBytes) / 4096) / 2;
/** Hours of tasks that a million passwords take. */
const passwordHours = (1e6 * call.passwordSeconds) / made.taskVcpu / call.busyPart / 3600;
const password: Row = [
  'Tasks, for a password of CreateUser, UpdateUser or CheckPassword',
  `1,000,000 × ${call.passwordSeconds} s ÷ ${made.taskVcpu} vCPU ÷ ${100 * call.busyPart} % = ${passwordHours.toFixed(0)} h × ${(taskHour + prices.publicIpv4Hour).toFixed(6)}`,
  passwordHours * (taskHour + prices.publicIpv4Hour),
];
const others: readonly Row[] = [
  onTable('CheckPassword or GetAccount, by name or e-mail', { reads: account }),
  // It looks for its request_id and keeps it, the user and both names.
  onTable('UpdateUser of a name, with request_id', {
    reads: account + lookUpReadUnits,
    writes: 4 * writtenItemUnits,
    indexWrites: 2 * indexWriteUnits,
  }),
  onTable('DeleteUser of a user with e-mail', {
    reads: account,
    writes: 3 * writtenItemUnits,
    indexWrites: indexWriteUnits,
  }),
  onTable(`ListUsers, ${call.listedUsers} of one prefix`, { reads: pageUnits }),
];

/** What watches over a deployment, and its key, cost a month. */
export const watchedDollars = perMonth.slice(-2).reduce((total, [, , dollars]) => total + dollars, 0);

const sum = (rows: readonly Row[]) => rows.reduce((total, [, , dollars]) => total + dollars, 0);
const endpoints = made.endpoints * made.zones * monthHours * prices.interfaceEndpointHour;
const natGateway = monthHours * prices.natGatewayHour;
const taskAddresses = made.tasks * monthHours * prices.publicIpv4Hour;

function table(title: string, rows: readonly Row[]): string {
  const lines = rows.map(([what, how, dollars]) => `| ${what} | ${how} | ${dollars.toFixed(2)} |`);
  return [`| ${title} | calculation | $ |`, '| --- | --- | ---: |', ...lines].join('\n');
}

/** The tables of docs/costs.md on what a deployment and its calls cost. */
export function costs(): string {
  return [
    table('A month, idle', [...perMonth, ['**In all**', '', sum(perMonth)]]),
    'An alarm is billed by the metrics that it looks at, not by itself; those that auto scaling makes count too.',
    endsTable(),
    'Spot is taken to cost 30 % of its price on demand, which it does at best. A service on a shared load balancer is a ' +
      '[GrpcService](grpc-service.md#several-services-one-load-balancer) of yours, for gRPC alone: it has no key of this stack. ' +
      'With `minTasks=1` there is no task while one that was lost is replaced, half a minute or so, and with all of them on Spot ' +
      'for as long as there is no capacity.',
    table('A million calls', [
      ...anyCall,
      signUp,
      lookUp,
      ...others,
      password,
      ['**CreateUser in all**', '', sum([...anyCall, signUp])],
      ['**CreateUser with a password in all**', '', sum([...anyCall, signUp, password])],
      ['**GetUsers in all**', '', sum([...anyCall, lookUp])],
    ]),
    `\`privateSubnets\` adds $${endpoints.toFixed(2)} a month (${made.endpoints} endpoints in ${made.zones} zones × ${monthHours} h × ` +
      `${prices.interfaceEndpointHour}) and saves the tasks' addresses, $${taskAddresses.toFixed(2)}. ` +
      `A NAT gateway, in a network of yours, costs $${natGateway.toFixed(2)} a month and $${prices.natGatewayGigabyte} a GB: ` +
      'one for both zones is cheaper than the endpoints, but it lets tasks out to the internet. ' +
      `\`edge\` adds $${prices.edgeMillionRequests.toFixed(2)} for a million calls and $${prices.secretMonth.toFixed(2)} a month. \`wafRatePerIp\` adds ` +
      `$${prices.firewallMonth.toFixed(2)} a month and $${prices.firewallMillionRequests.toFixed(2)} for a million requests, ` +
      'blocked ones too.',
  ].join('\n\n');
}

if (import.meta.main) console.log(`${costs()}\n\n${worstBills()}\n\n${telemetryCosts()}`);
