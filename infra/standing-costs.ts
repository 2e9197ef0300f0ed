import { healthCheck } from './lifetimes.ts';
import { logLineBytes, monthHours, prices } from './prices.ts';

/** What the defaults of `infra/` make, of what costs something; a test compares it with the templates. */
export const made = {
  tasks: 2,
  taskVcpu: 0.25,
  taskGib: 0.5,
  zones: 2,
  /** Of private subnets, in each zone: one of them to read the key. */
  endpoints: 4,
  /** Metrics that alarms look at, those of the next line among them. */
  alarmMetrics: 26,
  /** Auto scaling makes two alarms for each of its policies: one on CPU, one on two metrics. */
  scalingAlarmMetrics: 2 + 4,
  /** The same of a service of one's own, in `infra/examples/hello-stack.ts`. */
  ownAlarmMetrics: 20,
  /** And of one behind a load balancer that is there, in `infra/examples/shop-stack.ts`. */
  sharedAlarmMetrics: 9 + 2 + 4,
  /** Of a function: metrics that its alarms look at, and those that are counted from its log. */
  functionAlarmMetrics: 4,
  functionLogMetrics: 4,
};

/** Of a task, without its address. */
export const taskHour = made.taskVcpu * prices.fargateArmVcpuHour + made.taskGib * prices.fargateArmGibHour;

/** Of a load balancer with its addresses, a month. */
export const balancerMonth = monthHours * (prices.loadBalancerHour + made.zones * prices.publicIpv4Hour);

/**
 * Each zone's part of the load balancer asks each task for its health by gRPC, which is a call with a line in the log.
 */
export const healthChecksPerHour = 3600 / healthCheck.interval.toSeconds();

/** The log of the health checks, a month in US dollars. */
export function logOfChecks(tasks: number): number {
  const lines = tasks * made.zones * healthChecksPerHour * monthHours;
  return ((lines * logLineBytes) / 1e9) * prices.logGigabyte;
}

/**
 * Alarms by the metrics that they look at, metrics that are counted from the log, and the dashboard, a month in US
 * dollars.
 *
 * @param logMetrics of containers one, of failed calls
 */
export function watchingMonth(alarmMetrics: number, logMetrics = 1): number {
  return (
    alarmMetrics * prices.alarmMetricMonth + logMetrics * prices.customMetricMonth + prices.dashboardMonth
  );
}

/** A `GrpcService` that nobody calls, with all that it makes by default: a month in US dollars. */
export function serviceMonth({ tasks, hasBalancer }: { tasks: number; hasBalancer: boolean }): number {
  return (
    tasks * monthHours * (taskHour + prices.publicIpv4Hour) +
    (hasBalancer ? balancerMonth : 0) +
    logOfChecks(tasks) +
    watchingMonth(hasBalancer ? made.ownAlarmMetrics : made.sharedAlarmMetrics)
  );
}
