import http from 'node:http';
import http2 from 'node:http2';
import type { TargetGroupProperties } from './template.ts';

/** How a target group looks whether its targets are healthy. Source: ELB, CreateTargetGroup, defaults included. */
export interface HealthCheck {
  readonly protocol: 'GRPC' | 'HTTP1' | 'HTTP2';
  readonly path: string;
  /** Codes that pass, such as `200`, `200,204`, `200-299`; of gRPC, statuses. */
  readonly matcher: string;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly healthyThreshold: number;
  readonly unhealthyThreshold: number;
}

/** Reads the health check of a target group. */
export function healthCheckOf(group: TargetGroupProperties): HealthCheck {
  const protocol = group.ProtocolVersion ?? 'HTTP1';
  const { GrpcCode = '12', HttpCode = '200' } = group.Matcher ?? {};
  return {
    protocol,
    path: group.HealthCheckPath ?? (protocol === 'GRPC' ? '/AWS.ALB/healthcheck' : '/'),
    matcher: protocol === 'GRPC' ? GrpcCode : HttpCode,
    intervalMs: Number(group.HealthCheckIntervalSeconds ?? 30) * 1000,
    timeoutMs: Number(group.HealthCheckTimeoutSeconds ?? 5) * 1000,
    healthyThreshold: Number(group.HealthyThresholdCount ?? 5),
    unhealthyThreshold: Number(group.UnhealthyThresholdCount ?? 2),
  };
}

/** Whether a code is one of a matcher's. */
export function matches(matcher: string, code: number): boolean {
  return matcher.split(',').some((part) => {
    const [from = '', to = from] = part.trim().split('-');
    return Number(from) <= code && code <= Number(to);
  });
}

export type Health = 'initial' | 'healthy' | 'unhealthy';

/**
 * Counts checks as a load balancer does: a new target is healthy after the first that passes, an unhealthy one after
 * `healthyThreshold` in a row; either is unhealthy after `unhealthyThreshold` failures in a row.
 *
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
 */
export class TargetHealth {
  readonly #check: Pick<HealthCheck, 'healthyThreshold' | 'unhealthyThreshold'>;
  #state: Health = 'initial';
  #passed = 0;
  #failed = 0;

  constructor(check: Pick<HealthCheck, 'healthyThreshold' | 'unhealthyThreshold'>) {
    this.#check = check;
  }

  get state(): Health {
    return this.#state;
  }

  /** Takes the result of a check. Returns whether the state has changed. */
  record(hasPassed: boolean): boolean {
    const before = this.#state;
    this.#passed = hasPassed ? this.#passed + 1 : 0;
    this.#failed = hasPassed ? 0 : this.#failed + 1;
    const needed = before === 'initial' ? 1 : this.#check.healthyThreshold;
    if (this.#passed >= needed) this.#state = 'healthy';
    if (this.#failed >= this.#check.unhealthyThreshold) this.#state = 'unhealthy';
    return this.#state !== before;
  }
}

const userAgent = 'ELB-HealthChecker/2.0';

/** Makes one check of a target, on a connection of its own. */
export async function probe(check: HealthCheck, address: string, port: number): Promise<boolean> {
  const signal = AbortSignal.timeout(check.timeoutMs);
  try {
    const code =
      check.protocol === 'HTTP1'
        ? await askHttp1(check, address, port, signal)
        : await askHttp2(check, address, port, signal);
    return matches(check.matcher, code);
  } catch {
    return false; // whatever keeps a target from answering
  }
}

async function askHttp1(
  { path }: HealthCheck,
  host: string,
  port: number,
  signal: AbortSignal,
): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const headers = { 'user-agent': userAgent };
  const request = http.get({ host, port, path, headers, signal, agent: false }, (response) => {
    response.resume().on('end', () => resolve(response.statusCode ?? 0));
    response.on('error', reject);
  });
  request.on('error', reject);
  return promise;
}

/** The HTTP status; of gRPC the grpc-status, of which a load balancer reads nothing else. */
async function askHttp2(
  { path, protocol }: HealthCheck,
  address: string,
  port: number,
  signal: AbortSignal,
): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const session = http2.connect(`http://${address}:${port}`);
  const abort = () => reject(new Error('the check took too long'));
  signal.addEventListener('abort', abort, { once: true });
  session.on('error', reject);
  try {
    const isGrpc = protocol === 'GRPC';
    const stream = session.request({
      ':method': isGrpc ? 'POST' : 'GET',
      ':path': path,
      'user-agent': userAgent,
      ...(isGrpc ? { 'content-type': 'application/grpc', te: 'trailers' } : {}),
    });
    let code = Number.NaN;
    const read = (headers: http2.IncomingHttpHeaders) => {
      const value = headers[isGrpc ? 'grpc-status' : ':status'];
      if (value !== undefined) code = Number(value);
    };
    stream.on('response', read);
    stream.on('trailers', read);
    stream.on('error', reject);
    stream.on('close', () => resolve(code));
    stream.resume();
    stream.end(isGrpc ? Buffer.alloc(5) : undefined); // an empty message
    return await promise;
  } finally {
    signal.removeEventListener('abort', abort);
    session.destroy();
  }
}
