import { clusterName } from './envoy-config.ts';
import type { Dimensions } from './metrics.ts';

/** A line of Envoy's access log. */
interface AccessLine {
  readonly firstByteMs?: number | string | null;
  readonly code?: number | string | null;
  readonly flags?: string | null;
  readonly cluster?: string | null;
  readonly target?: string | null;
}

/** A value of a metric of `AWS/ApplicationELB`. */
export interface BalancerValue {
  readonly name: string;
  readonly dimensions: Dimensions;
  readonly value: number;
}

/** What of an ARN names a load balancer or a target group in metrics. */
export const balancerDimension = (arn: string): string => clusterName(arn).replace(/^loadbalancer\//, '');

/**
 * What a load balancer counts of a request, by a line of the access log. A code is the load balancer's own when no
 * target answered: 503 without a target to ask, 502 where the connection to one failed or ended, 504 where it was
 * silent.
 *
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
 */
export function valuesOf(line: string, loadBalancerArn: string): BalancerValue[] {
  // The wire: Envoy's own log.
  const { firstByteMs, code, flags, cluster, target } = JSON.parse(line) as AccessLine;
  const balancer = { LoadBalancer: balancerDimension(loadBalancerArn) };
  const group = cluster ? { ...balancer, TargetGroup: cluster } : undefined;
  const values: BalancerValue[] = [];
  const count = (name: string, dimensions: Dimensions) => values.push({ name, dimensions, value: 1 });
  const own = ownCode(flags ?? '');
  if (flags?.split(',').includes('UF')) {
    count('TargetConnectionErrorCount', balancer);
    if (group) count('TargetConnectionErrorCount', group);
  }
  if (target) {
    count('RequestCount', balancer);
    if (group) count('RequestCount', group);
  }
  if (own !== undefined) {
    count('HTTPCode_ELB_5XX_Count', balancer);
    count(`HTTPCode_ELB_${own}_Count`, balancer);
    return values;
  }
  const status = Number(code ?? 0);
  if (!target || status < 100) return values;
  const name = `HTTPCode_Target_${Math.floor(status / 100)}XX_Count`;
  count(name, balancer);
  if (group) count(name, group);
  if (firstByteMs !== undefined && firstByteMs !== null && firstByteMs !== '-') {
    const value = Number(firstByteMs) / 1000;
    values.push({ name: 'TargetResponseTime', dimensions: balancer, value });
    if (group) values.push({ name: 'TargetResponseTime', dimensions: group, value });
  }
  return values;
}

function ownCode(flags: string): 502 | 503 | 504 | undefined {
  const all = flags.split(',');
  const has = (...wanted: readonly string[]) => wanted.some((it) => all.includes(it));
  if (has('UH', 'NC', 'NR')) return 503;
  if (has('UT', 'SI')) return 504;
  if (has('UF', 'UC', 'UR', 'LR', 'UPE')) return 502;
  return undefined;
}
