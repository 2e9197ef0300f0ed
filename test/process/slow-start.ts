// Loaded before the main, it has a worker tell that it begins, and wait: no handler of a signal is there yet.
import { workerVariable } from '../../functions/process/worker.ts';

if (process.env[workerVariable] !== undefined) {
  process.stdout.write(`${JSON.stringify({ msg: 'a worker begins', pid: process.pid })}\n`);
  setInterval(() => {}, 1_000);
  await new Promise(() => {});
}
