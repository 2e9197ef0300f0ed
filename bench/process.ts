import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, truncateSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Subject } from './subjects.ts';

/** The load comes from one core, and the servers have another to themselves. */
export const loadCore = '0';
export const serverCore = '1';
/** Where several processes serve, the load takes a little of one of their cores. */
export const bothCores = `${loadCore},${serverCore}`;

/** How long a server may take until it accepts connections. */
const startTimeoutMs = 20_000;
/** What Linux counts CPU time in, whatever the kernel's own tick is (USER_HZ). */
const microsPerTick = 10_000;

/**
 * Keeps this process, whose threads would else take turns with a server, on the core of the loads: those that are here
 * call from there. Processes that it starts are there too, unless `taskset` says otherwise, as `start` does.
 */
export function keepToLoadCore(): void {
  execFileSync('taskset', ['--all-tasks', '--cpu-list', '--pid', loadCore, String(process.pid)], {
    stdio: 'ignore',
  });
}

/** A running server, in a process of its own. */
export interface Running {
  readonly subject: Subject;
  readonly port: number;
  /** CPU time since it was started, in µs: all its threads and processes, in user mode and in the kernel. */
  cpuMicros(): number;
  /** Memory that it holds, in MiB. */
  rssMiB(): number;
  /** Empties the file that its output goes to. */
  forgetOutput(): void;
  stop(): Promise<void>;
}

/** Where a server is called. */
export function originOf({ port, subject }: Pick<Running, 'port' | 'subject'>): string {
  return `${subject.ca === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
}

/** Starts a server; `spawned` says when it was, on the clock of `performance.now()`. */
export async function start(subject: Subject, folder: string): Promise<Running & { spawnedAtMs: number }> {
  const port = await freePort();
  const output = join(folder, `${subject.key}.log`);
  // A file, as it is opened for appending, can be emptied while the server writes to it.
  const file = openSync(output, 'a');
  const [program = '', ...args] = ['taskset', '-c', subject.cores ?? serverCore, ...subject.command];
  // Nobody finds the users of an earlier start.
  const data = mkdtempSync(join(folder, 'data-'));
  const env = { ...process.env, ...subject.env, HOST: '127.0.0.1', PORT: String(port), USERS_DATA: data };
  const spawnedAtMs = performance.now();
  const child = spawn(program, args, { env, stdio: ['ignore', file, file] });
  closeSync(file);
  await accepting(child, port, () => readFileSync(output, 'utf8'), subject.saysWhenReady);
  const processes = () => [Number(child.pid), ...childrenOf(Number(child.pid))];
  const ticks = (pid: number) => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return Number(stat[11]) + Number(stat[12]);
  };
  return {
    subject,
    port,
    spawnedAtMs,
    cpuMicros: () => sum(processes().map(ticks)) * microsPerTick,
    rssMiB: () =>
      sum(
        processes().map((pid) => {
          const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
          return Number(line?.[1]) / 1024;
        }),
      ),
    forgetOutput: () => truncateSync(output),
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill(subject.stopSignal ?? 'SIGKILL');
      await exited;
    },
  };
}

/** Workers, of a server that has them. */
function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
}

function sum(values: readonly number[]): number {
  return values.reduce((all, one) => all + one, 0);
}

/** `said`: what its output must have besides. */
async function accepting(child: ChildProcess, port: number, output: () => string, said = ''): Promise<void> {
  const giveUpAtMs = performance.now() + startTimeoutMs;
  let failure: Error | undefined;
  child.once('error', (error) => {
    failure = error;
  });
  while (!(await accepts(port)) || !output().includes(said)) {
    if (failure !== undefined) throw failure;
    if (child.exitCode !== null || performance.now() > giveUpAtMs) {
      child.kill('SIGKILL');
      throw new Error(`${child.spawnargs.join(' ')} does not listen: ${output()}`);
    }
    await delay(1);
  }
}

async function accepts(port: number): Promise<boolean> {
  const socket = net.connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** A port of 127.0.0.1 at which nobody listens. */
export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}
