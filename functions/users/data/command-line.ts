import { parseArgs } from 'node:util';

/** A command, and what it works on. */
export type DataCommand =
  | { readonly name: 'backup' | 'restore'; readonly file: string; readonly force: boolean }
  /** `-` is standard output. */
  | { readonly name: 'export'; readonly file: string; readonly force: boolean }
  /** `-` is standard input. */
  | { readonly name: 'import'; readonly file: string; readonly dryRun: boolean }
  | { readonly name: 'upgrade' };

/** The command line can't be meant. The message says why, and how it is used. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What each command does, for its `--help`. */
const usages = {
  backup: `Usage: users backup [--force] FILE

Copies the users file (USERS_STORE=sqlite) to FILE, while servers run, and checks the copy.
FILE holds hashes of passwords: only you can read it.

  --force    replace FILE if it exists`,
  restore: `Usage: users restore [--force] FILE

Puts a backup in the place of the users file (USERS_STORE=sqlite). End all its servers before.
The users file of before is kept beside it, as users.sqlite.before-restore-TIME.

  --force    also restore a plain copy of the users file, which may lack its latest users,
             and replace a users file that is damaged`,
  export: `Usage: users export [--force] [FILE]

Writes all users as JSON lines to FILE, or to standard output. It holds hashes of passwords: only
you can read FILE.

  --force    replace FILE if it exists`,
  import: `Usage: users import [--dry-run] [FILE]

Signs up the users of an export, from FILE or from standard input, with the ids that they have.
Who is there just the same is passed over, so it may be repeated. Lines that are refused are told
of, and the rest goes on; the exit code is then 1.

  --dry-run  check the lines, and change nothing`,
  upgrade: `Usage: users upgrade

Makes the users that earlier releases have stored in a DynamoDB table ones that ListUsers lists. It
may be repeated, and run while servers run. A users file is upgraded when a server opens it.`,
} as const;

const settingsText = `Which users: USERS_STORE, USERS_DATA, USERS_TABLE and DYNAMODB_ENDPOINT of the environment, as the
server has them. Exit code: 0; 1 if it failed; 64 if the command line is wrong.`;

type Name = keyof typeof usages;

/**
 * Reads the arguments: the name of a command, and its own.
 *
 * @returns the command, or the text of its help
 * @throws UsageError
 */
export function readCommandLine([name = '', ...args]: readonly string[]): DataCommand | string {
  if (!isName(name)) throw new UsageError(`write one of ${Object.keys(usages).join(', ')}`);
  const fail = (reason: string) => new UsageError(`${reason}\n\n${usages[name]}`);
  const flag = { type: 'boolean', default: false } as const;
  let parsed: ReturnType<typeof parse>;
  const parse = () =>
    parseArgs({
      args,
      allowPositionals: true,
      options: { force: flag, 'dry-run': flag, help: { ...flag, short: 'h' } },
    });
  try {
    parsed = parse();
  } catch (error) {
    throw fail(error instanceof Error ? error.message : String(error));
  }
  const { values, positionals } = parsed;
  if (values.help) return `${usages[name]}\n\n${settingsText}`;
  const { force, 'dry-run': dryRun } = values;
  if (force && !['backup', 'restore', 'export'].includes(name)) throw fail(`${name} knows no --force`);
  if (dryRun && name !== 'import') throw fail(`${name} knows no --dry-run`);
  const mostFiles = name === 'upgrade' ? 0 : 1;
  if (positionals.length > mostFiles) throw fail(`${name} takes ${mostFiles || 'no'} file`);
  const [file] = positionals;
  switch (name) {
    case 'backup':
    case 'restore':
      if (!file) throw fail(`${name} needs a file`);
      return { name, file, force };
    case 'export':
      return { name, file: file || '-', force };
    case 'import':
      return { name, file: file || '-', dryRun };
    case 'upgrade':
      return { name };
  }
}

function isName(text: string): text is Name {
  return Object.hasOwn(usages, text);
}
