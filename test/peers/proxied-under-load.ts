// Runs a command while calls of every kind are made through a proxy, and fails if one of them fails:
//
//   node test/peers/proxied-under-load.ts URL CA TOKEN -- COMMAND…   CA and TOKEN are files
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { ProxiedLoad } from './proxied-load.ts';

const [url, ca, token, dashes, command, ...args] = process.argv.slice(2);
if (!url || !ca || !token || dashes !== '--' || !command) {
  console.error('usage: node test/peers/proxied-under-load.ts URL CA TOKEN -- COMMAND…');
  process.exit(2);
}
const load = new ProxiedLoad({
  url,
  ca: readFileSync(ca, 'utf8'),
  serverName: undefined,
  token: readFileSync(token, 'utf8').trim(),
});
await load.start();
await load.calls(100);
const [code] = await once(spawn(command, args, { stdio: 'inherit' }), 'exit');
await load.calls(100);
await load.stop();
const lost = await load.lost();
const failures = [...load.failures].flatMap(([kind, all]) => all.map((failure) => `${kind}: ${failure}`));
for (const problem of [...failures, ...lost.map((name) => `lost: ${name}`)]) console.error(problem);
process.exitCode = code === 0 && failures.length === 0 && lost.length === 0 ? 0 : 1;
