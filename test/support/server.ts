import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { limits as defaults, type Limits } from '../../functions/limits.ts';
import type { Log } from '../../functions/rpc/call/access-log.ts';
import { http2Engines } from '../../functions/rpc/http2/engine.ts';
import { RpcServer } from '../../functions/rpc/server.ts';
import type { RpcServerOptions } from '../../functions/rpc/server-options.ts';
import { watchLeaks } from './leaks.ts';
import { eventually, patienceMs, withPatience } from './patience.ts';

/** What speaks HTTP/2 in all tests of this run: `HTTP2_ENGINE=node` tries node's. */
export const http2Engine = http2Engines.find((it) => it === process.env.HTTP2_ENGINE) ?? 'own';

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

/**
 * Those of a server; limits that are not given have their defaults, but for short time-outs of the drain, and a line of
 * the log for every call that is refused.
 */
export type ServingOptions = Omit<RpcServerOptions, 'limits'> & { readonly limits?: Partial<Limits> };

/**
 * Serves on a free port of 127.0.0.1. At the end of the test its clients close (`closeBefore`), the server drains, and
 * the test fails when a connection, a call or a timer is left, or memory or a share is still counted.
 */
export async function serve(t: TestContext, options: ServingOptions): Promise<Serving> {
  const assertNothingLeft = watchLeaks();
  const ofTests = { goawayTimeoutMs: 20, drainTimeoutMs: patienceMs, maxRefusedLinesPerSecond: 10_000 };
  const limits = { ...defaults, ...ofTests, ...options.limits };
  const lines: LogLine[] = [];
  const waiting = new Set<() => void>();
  const write = (level: keyof Log) => (fields: object, message: string) => {
    lines.push({ ...fields, level, message });
    for (const look of waiting) look();
  };
  const server = new RpcServer({
    http2Engine,
    log: { info: write('info'), warn: write('warn'), error: write('error') },
    ...options,
    limits,
  });
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  const closers: (() => void)[] = [];
  closersOf.set(server, closers);
  const cut = () => {
    for (const close of closers.splice(0)) close();
  };
  t.after(async () => {
    cut();
    const isDrained = await withPatience(server.drain().then(() => true));
    if (!isDrained) await server.close();
    assert.ok(isDrained, 'connections or calls were left open');
    await assertNothingLeft();
    const isUnused = () => Object.values(server.usage).every((it) => it === 0);
    assert.ok(await eventually(isUnused), `still counted: ${JSON.stringify(server.usage)}`);
  });
  return {
    server,
    port,
    url: `${options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    limits,
    lines,
    cut,
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
