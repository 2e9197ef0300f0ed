// Imported before a server (`node --import`): appends to the file LOOP_HOLDS, ten times a second, for how many ms at
// most one turn of the event loop has lasted since. What is measured includes the millisecond between two looks.
import { appendFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

const file = process.env.LOOP_HOLDS ?? '/dev/null';
const holds = monitorEventLoopDelay({ resolution: 1 });
holds.enable();
setInterval(() => {
  if (holds.count > 0) appendFileSync(file, `${holds.max / 1e6}\n`);
  holds.reset();
}, 100).unref();
