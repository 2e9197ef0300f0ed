// Imported before a server (`node --import`): appends to the file LOOP_HOLDS, ten times a second, for how many ms at
// most it has held its event loop since. It looks each millisecond; what passes between two looks counts as far as the
// server's own threads, which share a core, were at work: what else runs on the machine is not the server's fault.
import { appendFileSync } from 'node:fs';

const file = process.env.LOOP_HOLDS ?? '/dev/null';
let heldMs = 0;
let atMs = performance.now();
let cpuMs = cpuNowMs();
setInterval(() => {
  const [nowMs, nowCpuMs] = [performance.now(), cpuNowMs()];
  heldMs = Math.max(heldMs, Math.min(nowMs - atMs, nowCpuMs - cpuMs));
  [atMs, cpuMs] = [nowMs, nowCpuMs];
}, 1).unref();
setInterval(() => {
  appendFileSync(file, `${heldMs}\n`);
  heldMs = 0;
}, 100).unref();

function cpuNowMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
