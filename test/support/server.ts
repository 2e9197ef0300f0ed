import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { ServiceImpl } from '@connectrpc/connect';
import { limits as defaults, type Limits } from '../../functions/limits.ts';
import type { Log } from '../../functions/rpc/call/access-log.ts';
import { RpcServer, type RpcServerOptions } from '../../functions/rpc/server.ts';
import { Echo } from '../rpc/gen/echo_pb.js';

/** A line of the log, as its level and fields. */
export interface LogLine {
  readonly level: keyof Log;
  readonly message: string;
  readonly [field: string]: unknown;
}

/** A server under test. */
export interface Serving {
  readonly server: RpcServer;
  readonly port: number;
  /** With the scheme that it serves. */
  readonly url: string;
  readonly limits: Limits;
  /** What it has logged so far. */
  readonly lines: readonly LogLine[];
  /** Closes the clients that there are so far. */
  cut(): void;
  /** Waits for a line of the log. */
  line(matches: (line: LogLine) => boolean): Promise<LogLine>;
}

/** How long a test waits for what must happen: long enough for a slow machine that is busy. */
export const patienceMs = 5_000;

/**
 * Serves the methods of Echo on a free port. At the end of the test its clients close (`closeBefore`), the server
 * drains, and the test fails when a connection, a call or a timer is left.
 */
export async function serve(
  t: TestContext,
  echo: Partial<ServiceImpl<typeof Echo>> = {},
  options: Omit<Partial<RpcServerOptions>, 'limits'> & { limits?: Partial<Limits> } = {},
): Promise<Serving> {
  const before = resources();
  const limits = { ...defaults, goawayTimeoutMs: 20, drainTimeoutMs: patienceMs, ...options.limits };
  const lines: LogLine[] = [];
  const waiting = new Set<() => void>();
  const write = (level: keyof Log) => (fields: object, message: string) => {
    lines.push({ ...fields, level, message });
    for (const look of waiting) look();
  };
  const server = new RpcServer({
    routes: (router) => router.service(Echo, echo),
    log: { info: write('info'), warn: write('warn'), error: write('error') },
    ...options,
    limits,
  });
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  const closers: (() => void)[] = [];
  closersOf.set(server, closers);
  t.after(async () => {
    for (const close of closers) close();
    const isDrained = await withPatience(server.drain().then(() => true));
    if (!isDrained) await server.close();
    assert.ok(isDrained, 'connections or calls were left open');
    const isLeft = () => [...resources()].some(([kind, count]) => count > (before.get(kind) ?? 0));
    assert.ok(await eventually(() => !isLeft()), `left open: ${JSON.stringify([...resources()])}`);
  });
  return {
    server,
    port,
    url: `${options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    limits,
    lines,
    cut() {
      for (const close of closers.splice(0)) close();
    },
    async line(matches) {
      const { promise, resolve } = Promise.withResolvers<LogLine>();
      const look = () => {
        const found = lines.find(matches);
        if (found !== undefined) resolve(found);
      };
      waiting.add(look);
      look();
      const found = await withPatience(promise);
      waiting.delete(look);
      assert.ok(found, `no such line in ${JSON.stringify(lines)}`);
      return found;
    },
  };
}

const closersOf = new WeakMap<RpcServer, (() => void)[]>();

/** Closes a client of the server at the end of the test, before the server is asked whether something is left. */
export function closeBefore(serving: Serving, close: () => void): void {
  closersOf.get(serving.server)?.push(close);
}

/** What it resolves to, or undefined when that takes too long. */
export async function withPatience<T>(work: Promise<T>, ms = patienceMs): Promise<T | undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), ms);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Whether the condition comes true in a time that is long for any machine. */
export async function eventually(condition: () => boolean): Promise<boolean> {
  const giveUpAtMs = performance.now() + patienceMs;
  while (!condition()) {
    if (performance.now() > giveUpAtMs) return false;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return true;
}

/** What keeps the process alive, by kind: sockets, servers and timers. */
function resources(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) {
    if (/TCP|TLS|HTTP|Timeout/.test(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}
