import project from '../../package.json' with { type: 'json' };
import { comments } from '../../proto/gen/comments.js';
import { Console, type ConsoleOptions } from '../web/console/console.ts';
import { examples } from './examples.ts';

/** Makes the console of the Users function. Who does not want it does not load this file. */
export function usersConsole(options: Pick<ConsoleOptions, 'storeKind' | 'metrics'>): Console {
  return new Console({ ...options, title: 'Users service', version: project.version, comments, examples });
}
