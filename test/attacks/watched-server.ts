import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { build } from '../../build.ts';

/**
 * `held`: what is held when all garbage is collected, in the heap of JavaScript and in buffers outside it.
 * `allocating` begins to count what is allocated in the heap, and `allocated` ends it: garbage included.
 */
export type ProbeQuestion = 'held' | 'allocating' | 'allocated';

/** @see heap-probe.ts */
export interface ProbeAnswer {
  readonly bytes: number;
}

/** Of a thread, in ms. */
export interface CpuTimes {
  readonly ranMs: number;
  readonly waitedMs: number;
}

/** The bundle as a process with a small heap, as a task of 512 MiB has it, and with figures to watch. */
export interface WatchedServer {
  readonly port: number;
  /** Undefined while it lives; then what ended it, with the last it wrote to its standard error. */
  readonly ended: string | undefined;
  /** How long its main thread has run so far, and how long it could have run but had no core. */
  cpuTimes(): CpuTimes;
  /** The most memory that it has had so far, in MiB: what a container's limit counts. */
  peakMiB(): number;
  /** Bytes of memory, as its own heap tells. Collecting garbage may take some 100 ms. Rejects if it is stuck. */
  ask(question: ProbeQuestion): Promise<number>;
  /** Ends it as a deployment does, with SIGTERM, or soon after by force. Returns what ended it. */
  stop(): Promise<string>;
  /** How many calls of an address it has logged, by method, protocol and code. */
  loggedCalls(from: string): ReadonlyMap<string, number>;
}

/** The system keeps the peak itself, but only as long as the process lives. */
const sampleMs = 20;
/** How long a start may take on a slow machine. */
const startTimeoutMs = 20_000;
/** For an answer of the probe, behind whatever else the server still does. */
const probeTimeoutMs = 2_000;
/** For the end after SIGTERM: no call is left by then. */
const stopTimeoutMs = 3_000;
/** The end of the standard error that is kept: a crash says in it why. */
const maxErrorCharacters = 2_000;
const nodeOptions = ['--max-old-space-size=256', '--max-semi-space-size=12', '--expose-gc'];
const probe = new URL('./heap-probe.ts', import.meta.url).href;

/** Where the bundle of this file's tests is. */
let folder = '';

/** Makes the bundle once for all tests of a file. To be called by each. */
export function bundleOnce(): void {
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'users-attacks-'));
    await build(folder);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));
}

/**
 * Starts the bundle on a free port with the sample users; at the end of the test it is killed. Its log goes to a file,
 * since reading it would be on the clock of the quiet client.
 */
export async function startWatched(
  t: TestContext,
  settings: Record<string, string> = {},
): Promise<WatchedServer> {
  const own = mkdtempSync(join(folder, 'server-'));
  const logPath = join(own, 'log');
  const log = openSync(logPath, 'a');
  const main = join(folder, 'users', 'main.mjs');
  const child: ChildProcess = spawn(process.execPath, [...nodeOptions, '--import', probe, main], {
    env: {
      PATH: process.env.PATH,
      HOST: '127.0.0.1',
      PORT: '0',
      USERS_STORE: 'memory',
      USERS_DATA: own,
      USERS_SAMPLES: '1',
      LOG_FORMAT: 'json',
      GOAWAY_TIMEOUT_MS: '20',
      ...settings,
    },
    stdio: ['ignore', log, 'pipe', 'ipc'],
  });
  closeSync(log);
  let errors = '';
  child.stderr?.on('data', (chunk) => {
    errors = `${errors}${chunk}`.slice(-maxErrorCharacters);
  });
  let ended: string | undefined;
  const closed = once(child, 'close').then(([code, signal]) => {
    ended = [signal ?? `code ${code}`, fatal(errors)].join(' ').trim();
    return ended;
  });
  let peak = 0;
  /** Empty when it has ended. */
  const readProc = (file: string) => {
    try {
      return readFileSync(`/proc/${child.pid}/${file}`, 'utf8');
    } catch {
      return '';
    }
  };
  const sample = () => {
    peak = Math.max(peak, Number(/^VmHWM:\s+(\d+) kB$/m.exec(readProc('status'))?.[1] ?? 0) / 1024);
  };
  const sampling = setInterval(sample, sampleMs);
  t.after(async () => {
    clearInterval(sampling);
    child.kill('SIGKILL');
    await closed;
  });
  const logged = () => linesOf(readFileSync(logPath, 'utf8'));
  const server: WatchedServer = {
    port: await listening(logged, () => ended),
    get ended() {
      return ended;
    },
    cpuTimes() {
      // https://docs.kernel.org/scheduler/sched-stats.html: nanoseconds on a core, and runnable without one.
      const [ran, waited] = readProc('schedstat').split(' ').map(Number);
      return { ranMs: (ran ?? 0) / 1e6, waitedMs: (waited ?? 0) / 1e6 };
    },
    peakMiB() {
      sample();
      return peak;
    },
    async ask(question) {
      const answer = once(child, 'message', { signal: AbortSignal.timeout(probeTimeoutMs) });
      child.send(question);
      const [{ bytes }]: [ProbeAnswer] = await answer.then(([it]) => [it]);
      return bytes;
    },
    async stop() {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
      const how = await closed;
      clearTimeout(timer);
      return how;
    },
    loggedCalls(from) {
      const counts = new Map<string, number>();
      for (const { msg, peer, method, protocol, code } of logged()) {
        if (msg !== 'call' || !String(peer).startsWith(`${from}:`)) continue;
        const kind = `${method} ${protocol} ${code}`;
        counts.set(kind, (counts.get(kind) ?? 0) + 1);
      }
      return counts;
    },
  };
  return server;
}

async function listening(
  logged: () => Record<string, unknown>[],
  ended: () => string | undefined,
): Promise<number> {
  const giveUpAtMs = performance.now() + startTimeoutMs;
  while (performance.now() < giveUpAtMs) {
    const line = logged().find(({ msg }) => msg === 'listening');
    if (line !== undefined) return Number(line.port);
    if (ended() !== undefined) throw new Error(`the server did not start: ${ended()}`);
    await delay(10);
  }
  throw new Error(`the server did not listen within ${startTimeoutMs} ms`);
}

/** The last line may not be whole yet. */
function linesOf(text: string): Record<string, unknown>[] {
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

/** V8's last words, without the stacks around them. */
function fatal(errors: string): string {
  return /FATAL ERROR: .*/.exec(errors)?.[0] ?? errors.trim().slice(-300);
}
