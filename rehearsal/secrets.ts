import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The logs in the folder of a rehearsal: those of its tasks, and of the load balancer. */
export function logsOf(folder: string): string[] {
  const tasks = readdirSync(join(folder, 'logs')).map((it) => join(folder, 'logs', it));
  return [...tasks, ...['access.log', 'envoy.log'].map((it) => join(folder, 'load-balancer', it))];
}

/** @throws Error when one of the secrets is in one of the files, or a file is not there */
export async function mustNotHave(secrets: Iterable<string>, files: readonly string[]): Promise<void> {
  for (const file of files) {
    const text = readFileSync(file, 'utf8');
    for (const secret of secrets) if (text.includes(secret)) throw new Error(`a secret is in ${file}`);
  }
}
