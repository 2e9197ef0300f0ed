// Prints what a small gRPC service costs elsewhere, as docs/grpc-service.md shows it: `node infra/alternatives.ts`.
import costs from './call-costs.json' with { type: 'json' };
import { callWireBytes, logLineBytes, monthHours, prices } from './prices.ts';
import { balancerMonth, serviceMonth } from './standing-costs.ts';

/** Calls in a month that the columns are for. */
const volumes = [0, 1e6, 100e6, 1e9];

/** CPU of a small call, where 32 are under way at a time; and how long a call is under way, which is assumed. */
const call = {
  cpuSeconds: (costs.lookUp.find(({ inFlight }) => inFlight === 32)?.cpuMicros ?? 0) / 1e6,
  seconds: 0.005,
};

/** List prices of the middle of 2025, us-east-1 and a region of tier 1, without free tiers. */
const elsewhere = {
  /** https://cloud.google.com/run/pricing, while requests are processed */
  cloudRunVcpuSecond: 0.000024,
  cloudRunGibSecond: 0.0000025,
  cloudRunMillionRequests: 0.4,
  /** Fargate on x86, which Express Mode takes. https://aws.amazon.com/fargate/pricing/ */
  fargateX86VcpuHour: 0.04048,
  fargateX86GibHour: 0.004445,
};

const perCall = (calls: number) =>
  (calls / 1e9) * (callWireBytes * prices.loadBalancerCapacityUnitHour + logLineBytes * prices.logGigabyte);

/** Tasks of a size that the calls of a month keep at 60 % of their CPU, when they come evenly. */
const tasksFor = (calls: number, vcpu: number, least: number) =>
  Math.max(least, Math.ceil((calls * call.cpuSeconds) / (monthHours * 3600) / vcpu / 0.6));

/**
 * Dollars for calls a month of each way to run it: load balancer, CPU, memory, addresses, requests, log; of GrpcService
 * also its alarms, dashboard and log of health checks. The others come without alarms.
 */
const ways: Readonly<Record<string, (calls: number) => number>> = {
  '`GrpcService`, two tasks': (calls) =>
    serviceMonth({ tasks: tasksFor(calls, 0.25, 2), hasBalancer: true }) + perCall(calls),
  'the same on a shared load balancer, one task': (calls) =>
    serviceMonth({ tasks: tasksFor(calls, 0.25, 1), hasBalancer: false }) + perCall(calls),
  'ECS Express Mode, as it comes': (calls) => {
    const task = elsewhere.fargateX86VcpuHour + 2 * elsewhere.fargateX86GibHour + prices.publicIpv4Hour;
    return balancerMonth + tasksFor(calls, 1, 1) * monthHours * task + perCall(calls);
  },
  'Cloud Run, 1 vCPU, 0.5 GiB': (calls) => {
    // An instance takes 80 calls at once, and is paid for while it has one: here each call pays for itself alone,
    // until an instance is always busy.
    const seconds = Math.min(calls * call.seconds, tasksFor(calls, 1, 1) * monthHours * 3600);
    const second = elsewhere.cloudRunVcpuSecond + 0.5 * elsewhere.cloudRunGibSecond;
    return seconds * second + (calls / 1e6) * elsewhere.cloudRunMillionRequests;
  },
  'Lambda behind a URL, 0.5 GB': (calls) =>
    calls * call.seconds * 0.5 * prices.lambdaGbSecond +
    (calls / 1e6) * prices.lambdaMillionRequests +
    (calls / 1e9) * logLineBytes * prices.logGigabyte,
};

/** The table of docs/grpc-service.md. */
export function alternatives(): string {
  const head = volumes.map((calls) =>
    calls === 0 ? 'idle' : `${(calls / 1e6).toLocaleString('en')} million calls`,
  );
  const rows = Object.entries(ways).map(
    ([name, of]) => `| ${name} | ${volumes.map((calls) => of(calls).toFixed(0)).join(' | ')} |`,
  );
  return [`| A month, $ | ${head.join(' | ')} |`, `| --- |${' ---: |'.repeat(volumes.length)}`, ...rows].join(
    '\n',
  );
}

if (import.meta.main) console.log(alternatives());
