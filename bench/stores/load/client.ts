import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { loadCore } from '../../process.ts';
import type { LoadReading } from './load.ts';
import type { Order, Report } from './process.ts';

/** A process on the load's core that makes calls. */
export interface LoadClient {
  /** @throws Error unless each call is answered as it must be */
  make(order: Order): Promise<LoadReading>;
  close(): void;
}

/** Starts a process that makes calls. It needs `close` at its end. */
export function openLoadClient(): LoadClient {
  const program = fileURLToPath(new URL('process.ts', import.meta.url));
  const child = spawn('taskset', ['-c', loadCore, process.execPath, program], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const ended = once(child, 'exit').then(([code, signal]): never => {
    throw new Error(`the process of the load ended: ${code ?? signal}`);
  });
  // It ends when it is closed, too, and then nobody waits for it.
  ended.catch(() => {});
  return {
    async make(order) {
      const message = once(child, 'message');
      child.send(order);
      const [report]: Report[] = await Promise.race([message, ended]);
      if (report === undefined || 'failure' in report)
        throw new Error(`${order.load.title}: ${report?.failure ?? 'no answer'}`);
      return report.reading;
    },
    close: () => child.disconnect(),
  };
}
