import type { Command } from 'commander';
import { call } from '../call.ts';
import { print } from '../report.ts';

/** `users health`. */
export function addHealth(program: Command): void {
  program
    .command('health')
    .description('ask whether the server is serving; exit code 14 if it is not')
    .argument('[service]', 'one service, such as Users')
    .action(async (service?: string) => {
      await call(program, async (client, json) => {
        const status = await client.health(service);
        await print(json ? JSON.stringify({ status }) : status);
        if (status !== 'SERVING') process.exitCode = 14;
      });
    });
}
