import { isIPv4 } from 'node:net';
import { collectorMemoryMiB } from './collector.ts';
import { fargateSizes, wordsOf } from './fargate-sizes.ts';
import type { FrontProps } from './front.ts';
import { refuseRoute } from './grpc-route.ts';
import type { GrpcServiceProps } from './grpc-service-props.ts';

/** The memory of a task, and that of its server. */
export function memoryOf({ memoryMiB, telemetry }: GrpcServiceProps): { taskMiB: number; serverMiB: number } {
  const collectorMiB = telemetry?.kind === 'adot' ? collectorMemoryMiB : 0;
  const taskMiB = memoryMiB ?? (collectorMiB > 0 ? 1024 : 512);
  return { taskMiB, serverMiB: taskMiB - collectorMiB };
}

/** What a server needs at the least, "Memory" in docs/settings.md. */
const leastServerMiB = 512;

/** More tasks than this are more likely a slip than a need. */
const mostTasks = 100;

/** A network of IPv4, the only one that a load balancer without dual stack meets, or a prefix list. */
export function isPeer(text: string): boolean {
  const [, address = '', bits] = /^([\d.]+)\/(\d{1,2})$/.exec(text) ?? [];
  return /^pl-[0-9a-f]{8,17}$/.test(text) || (isIPv4(address) && Number(bits) <= 32);
}

/** Props of the load balancer, which a front that is there has already. */
const ofFront = [
  'allowedCidrs',
  'internal',
  'clientTrustStore',
  'certificate',
  'certificateCode',
  'deletionProtection',
  'accessLogs',
  'zonalShift',
  'idleTimeout',
] as const;

/** What the construct sets itself, and how to have it otherwise. */
const ownEnvironment = {
  HOST: 'tasks listen on every address',
  PORT: 'set containerPort',
  TRUSTED_PROXIES: 'set trustedProxies',
  MAX_DEADLINE_MS: 'set maxDeadline',
  IDLE_TIMEOUT_MS: 'set idleTimeout',
  DRAIN_DELAY_MS: 'it follows from the health checks',
  DRAIN_TIMEOUT_MS: 'set stopTimeout',
};

function refuse(reason: string): never {
  throw new RangeError(reason);
}

/** Throws a RangeError that says what to change, when a load balancer can not be made so. */
export function refuseFront(props: FrontProps): void {
  if (!props.certificate && !props.certificateCode) {
    refuse(
      'without a certificate one is issued: set certificateCode to the bundled function, or give a certificate',
    );
  }
  if (props.certificate && props.certificateCode) {
    refuse('certificateCode is for a self-issued certificate: leave it out, or leave out certificate');
  }
  const strangers = props.allowedCidrs?.filter((it) => !isPeer(it)) ?? [];
  if (strangers.length > 0) {
    refuse(`allowedCidrs (${strangers.join(', ')}) must be networks of IPv4 such as 203.0.113.0/24`);
  }
  if (props.allowedCidrs?.length === 0)
    refuse('allowedCidrs lets nobody in: leave it out, or name a network');
}

/** Throws a RangeError that says what to change, when a prop would do nothing, or something that nobody means. */
function refuseIdle(props: GrpcServiceProps): void {
  const { telemetry, watch, http, health, requiredHeader, serviceConnect, requestsPerTaskAndMinute } = props;
  if (props.telemetryName !== undefined && !telemetry) {
    refuse('telemetryName is for telemetry: set that too, or leave it out');
  }
  for (const name of ['faultPattern', 'alarmTopic'] as const) {
    if (watch === false && props[name] !== undefined)
      refuse(`${name} is for what watch makes: leave it out, or leave out watch: false`);
  }
  for (const name of ['httpPath', 'httpCodes'] as const) {
    if (http === false && health?.[name] !== undefined)
      refuse(`health.${name} is for HTTP/1.1: leave it out, or leave out http: false`);
  }
  if (telemetry?.kind === 'adot' && props.privateSubnets) {
    refuse(
      "telemetry 'adot' and privateSubnets: the collector's image is in a public registry, out of reach of such tasks; take 'otlp'",
    );
  }
  if (requiredHeader && /[*?]/.test(requiredHeader.value)) {
    refuse('requiredHeader.value must have no * and ?, which a rule takes for wildcards: take another value');
  }
  if (requestsPerTaskAndMinute !== undefined && !(requestsPerTaskAndMinute >= 1)) {
    refuse(`requestsPerTaskAndMinute (${requestsPerTaskAndMinute}) must be at least 1`);
  }
  // All that comes to the port goes through the proxy, unless it is given another (`ingressPortOverride`). Source:
  // https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ServiceConnectService.html
  if (serviceConnect?.name !== undefined && http !== false) {
    refuse(
      'serviceConnect.name needs http: false: its proxy takes all that comes to the port for gRPC, HTTP/1.1 of the load balancer and /healthz too',
    );
  }
}

/** Throws a RangeError that says what to change, when props contradict each other or Fargate. */
export function refuseContradictions(props: GrpcServiceProps): void {
  const { cpu = 256, minTasks = 2, maxTasks = 10, trustedProxies = 1 } = props;
  const { spotShare = 0, environment = {} } = props;
  const { taskMiB: memoryMiB, serverMiB } = memoryOf(props);
  refuseIdle(props);
  const networks = [props.vpc && 'vpc', props.cluster && 'cluster', props.front && 'front'].filter(
    (it) => it,
  );
  if (props.vpc && networks.length > 1) refuse(`vpc: ${networks[1]} has one already, so leave vpc out`);
  if (networks.length > 0 && props.privateSubnets) {
    refuse(
      'privateSubnets shapes the new network: leave it out, and choose subnets of your vpc with taskSubnets',
    );
  }
  if (props.taskSubnets && networks.length === 0) {
    refuse('taskSubnets chooses among the subnets of a vpc: give the vpc too, or set privateSubnets');
  }
  if (props.front) {
    for (const name of ofFront)
      if (props[name] !== undefined) refuse(`${name} is the front's, which is there already: leave it out`);
    if (props.route) refuseRoute(props.route, props.requiredHeader !== undefined);
  } else {
    if (props.route)
      refuse('route chooses among the requests of a front: give the front too, or leave it out');
    refuseFront(props);
  }
  if (!Number.isInteger(spotShare) || spotShare < 0 || spotShare > 100) {
    refuse(`spotShare (${spotShare}) must be a whole number from 0 to 100, percent of the tasks`);
  }
  if (!Number.isInteger(minTasks) || minTasks < 1 || !Number.isInteger(maxTasks) || maxTasks < minTasks) {
    refuse(
      `minTasks (${minTasks}) and maxTasks (${maxTasks}) must be whole numbers, at least 1, the first not larger`,
    );
  }
  if (maxTasks > mostTasks) refuse(`maxTasks (${maxTasks}) must be at most ${mostTasks}`);
  if (!Number.isInteger(trustedProxies) || trustedProxies < 1 || trustedProxies > 16) {
    refuse(`trustedProxies (${trustedProxies}) must be 1 to 16: the load balancer, and those before it`);
  }
  const sizes =
    fargateSizes.get(cpu) ?? refuse(`cpu (${cpu}) must be one of ${[...fargateSizes.keys()].join(', ')}`);
  if (!sizes.includes(memoryMiB)) {
    refuse(`memoryMiB (${memoryMiB}) must be ${wordsOf(sizes)} with cpu ${cpu}`);
  }
  if (serverMiB < leastServerMiB) {
    const more = sizes.find((it) => it > memoryMiB);
    refuse(
      `memoryMiB (${memoryMiB}) leaves the server ${serverMiB} beside the collector, which is too little: take ${more}, or telemetry 'otlp'`,
    );
  }
  for (const [name, instead] of Object.entries(ownEnvironment)) {
    if (name in environment) refuse(`environment.${name} is set by the construct: leave it out; ${instead}`);
  }
  for (const name of Object.keys(props.secrets ?? {})) {
    if (name in environment || name in ownEnvironment)
      refuse(`secrets.${name} is in the environment already`);
  }
}
