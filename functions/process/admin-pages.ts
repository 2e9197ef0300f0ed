import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Logger } from 'pino';
import {
  type Metrics,
  openMetricsText,
  openMetricsType,
  prometheusText,
  prometheusType,
} from '../rpc/index.ts';
import { HeapSnapshots } from './heap-snapshot.ts';
import type { ProcessLimits } from './limits.ts';
import { logLevels } from './log.ts';

/** What the admin port shows and changes. */
export interface AdminSubject {
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly limits: ProcessLimits;
}

/** How a server is, as `health` of RpcServer says it. */
export interface AdminHealth {
  readonly isShutDown: boolean;
  /** What can't be done now, a line each. */
  readonly problems: readonly string[];
}

/** A request whose body is there. */
export interface AdminRequest {
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** What the admin port answers at a path. */
export interface AdminPage {
  readonly method: 'GET' | 'PUT' | 'POST';
  readonly path: string;
  /** What it is for, in a line. */
  readonly about: string;
  /** Whether this machine alone may ask: it changes something, or shows what may be secret. */
  readonly isOfMachine: boolean;
  answer(request: AdminRequest, response: ServerResponse): Promise<void> | void;
}

/** The pages of the admin port. `health`: of the server; `undefined` until it listens. */
export function adminPages(
  subject: AdminSubject,
  health: () => AdminHealth | undefined,
): readonly AdminPage[] {
  const { metrics, log, limits } = subject;
  const snapshots = new HeapSnapshots(limits);
  const problems = () => health()?.problems ?? ['it is starting'];
  return [
    {
      method: 'GET',
      path: '/metrics',
      about: 'what is measured, for Prometheus',
      isOfMachine: false,
      answer({ headers: { accept = '' } }, response) {
        const isOpen = accept.includes('application/openmetrics-text');
        const text = isOpen ? openMetricsText(metrics.collect()) : prometheusText(metrics.collect());
        send(response, 200, text, {
          'content-type': isOpen ? openMetricsType : prometheusType,
          vary: 'accept',
        });
      },
    },
    {
      method: 'GET',
      path: '/healthz',
      about: '200 while the process lives, also while it drains',
      isOfMachine: false,
      // Whoever asks here asks whether to start the process again: one that drains is to be left alone.
      answer(_request, response) {
        send(response, 200, health()?.isShutDown ? 'DRAINING\n' : 'SERVING\n');
      },
    },
    {
      method: 'GET',
      path: '/readyz',
      about: '200 while every service can do its work, else 503 and why',
      isOfMachine: false,
      answer(_request, response) {
        const why = problems();
        if (why.length === 0) send(response, 200, 'READY\n');
        else send(response, 503, `NOT_READY: ${why.join('; ').replaceAll(/\s+/g, ' ')}\n`);
      },
    },
    {
      method: 'GET',
      path: '/log-level',
      about: 'the least level that is logged',
      isOfMachine: false,
      answer: (_request, response) => send(response, 200, `${log.level}\n`),
    },
    {
      method: 'PUT',
      path: '/log-level',
      about: `sets it: ${logLevels.join(', ')}`,
      isOfMachine: true,
      answer({ body }, response) {
        const level = logLevels.find((one) => one === body.trim());
        if (level === undefined)
          return send(response, 400, `The body must be one of ${logLevels.join(', ')}.\n`);
        setLevel(log, level);
        send(response, 200, `${level}\n`);
      },
    },
    {
      method: 'POST',
      path: '/heap-snapshot',
      about: 'all that is in memory, secrets too; the process does nothing else until it is taken',
      isOfMachine: true,
      async answer(_request, response) {
        const sinceMs = performance.now();
        const snapshot = snapshots.take();
        if (!(snapshot instanceof Readable)) {
          const seconds = Math.ceil(snapshot.retryAfterMs / 1000);
          return send(response, 429, `The last heap snapshot is too fresh: try again in ${seconds} s.\n`, {
            'retry-after': seconds,
          });
        }
        log.warn({ ms: Math.round(performance.now() - sinceMs) }, 'a heap snapshot was taken');
        // The time in which nothing moved on the connection was ours.
        response.socket?.setTimeout(limits.adminTimeoutMs);
        // Where much waits to be sent, node's own timeout takes twice as long.
        const stalled = new AbortController();
        const timer = setTimeout(() => stalled.abort(), limits.adminTimeoutMs);
        snapshot.on('data', () => timer.refresh());
        response.writeHead(200, {
          'content-type': 'application/json',
          'content-disposition': `attachment; filename="${process.pid}-${Date.now()}.heapsnapshot"`,
        });
        await pipeline(snapshot, response, { signal: stalled.signal }).finally(() => clearTimeout(timer));
      },
    },
  ];
}

/** Answers with a text. */
export function send(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string | number>> = {},
): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', ...headers });
  response.end(text);
}

/**
 * The line is written before the change or after, whichever shows it: as a warning, or at a level above that if neither
 * shows warnings. Only from silent to silent there is none.
 */
function setLevel(log: Logger, level: (typeof logLevels)[number]): void {
  const from = log.level;
  const names: readonly string[] = logLevels;
  const least = Math.min(names.indexOf(from), names.indexOf(level));
  const at = logLevels[Math.max(least, names.indexOf('warn'))] ?? 'fatal';
  const say = () => log[at]({ from, to: level }, 'the log level was changed');
  const isShown = log.isLevelEnabled(at);
  if (isShown) say();
  log.level = level;
  if (!isShown) say();
}
