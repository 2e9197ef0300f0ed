import { Connection, type Headers } from './connection.ts';
import { firstSignUps, lookUps, newSignUps } from './requests.ts';

/** Calls to make: of one kind, so many at a time. */
export interface StoreLoad {
  readonly key: string;
  /** As the tables call it. */
  readonly title: string;
  /** `fill` signs the population up. */
  readonly kind: 'get' | 'create' | 'fill';
  /** Users that a call asks for. */
  readonly users: number;
  readonly connections: number;
  /** On each connection. */
  readonly streams: number;
}

/** How long calls took. */
export interface LoadReading {
  readonly calls: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/**
 * Makes calls of a load, one as soon as another is over.
 *
 * @param calls how many
 * @throws Error unless each of them is answered with all its users
 */
export async function makeCalls(port: number, load: StoreLoad, calls: number): Promise<LoadReading> {
  const bodies = bodiesOf(load, calls);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const headers = headersOf(load);
  const connections = await Promise.all(
    Array.from({ length: load.connections }, () => Connection.open(port, headers, reject)),
  );
  const took: number[] = [];
  let begun = 0;
  const next = (connection: Connection) => {
    const body = bodies[begun % bodies.length];
    if (begun >= calls || body === undefined) return;
    begun += 1;
    connection.call(body, (tookMs, users) => {
      if (users !== load.users) reject(new Error(`${users} users, not ${load.users}`));
      took.push(tookMs);
      if (took.length === calls) resolve();
      next(connection);
    });
  };
  const beganAtMs = performance.now();
  try {
    for (const connection of connections) {
      for (let stream = 0; stream < load.streams; stream += 1) next(connection);
      connection.flush();
    }
    await promise;
    const seconds = (performance.now() - beganAtMs) / 1000;
    took.sort((a, b) => a - b);
    const percentile = (part: number) => took[Math.floor(took.length * part)] ?? Number.NaN;
    return { calls, seconds, p50Ms: percentile(0.5), p99Ms: percentile(0.99) };
  } finally {
    for (const connection of connections) connection.close();
  }
}

function bodiesOf({ kind, users }: StoreLoad, calls: number): Buffer[] {
  if (kind === 'get') return lookUps(users, calls);
  return kind === 'fill' ? firstSignUps() : newSignUps(calls);
}

const headersOf = ({ kind }: StoreLoad): Headers => [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', kind === 'get' ? '/Users/GetUsers' : '/Users/CreateUser'],
  [':authority', '127.0.0.1'],
  ['content-type', 'application/grpc'],
  ['te', 'trailers'],
  ['user-agent', 'grpc-go/1.85.0'],
];
