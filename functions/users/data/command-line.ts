import { parseArgs } from 'node:util';

/** A command, and what it works on. */
export type DataCommand =
  | { readonly name: 'backup' | 'restore'; readonly file: string; readonly force: boolean }
  /** `-` is standard output. */
  | { readonly name: 'export'; readonly file: string; readonly force: boolean }
  /** `-` is standard input. */
  | { readonly name: 'import'; readonly file: string; readonly dryRun: boolean }
  | { readonly name: 'upgrade' };

/** The command line can't be meant. The message says why, in the words of commander, which reads that of `users`. */
export class UsageError extends Error {
  override readonly name = 'UsageError';

  constructor(problem: string) {
    super(`error: ${problem}\nTry --help.`);
  }
}

/** What a command takes, and what it does, for its `--help`. */
interface Usage {
  readonly does: string;
  /** Its file: whether it must be given, and what it is. */
  readonly file?: readonly [name: '<file>' | '[file]', is: string];
  readonly options: Readonly<Record<string, string>>;
}

const usages = {
  backup: {
    does: `Copies the users file (USERS_STORE=sqlite) while servers run, and checks the copy. It holds hashes of
passwords: only you can read it.`,
    file: ['<file>', 'where the copy will be'],
    options: { '--force': 'replace the file if it is there, but never a users file' },
  },
  restore: {
    does: `Puts a backup in the place of the users file (USERS_STORE=sqlite). End all its servers before. The users
file of before is kept beside it, as users.sqlite.before-restore-TIME.`,
    file: ['<file>', 'the backup'],
    options: {
      '--force': `also restore a plain copy of a users file, which may lack its latest users,
or a backup with triggers or views, and replace a users file that is damaged`,
    },
  },
  export: {
    does: `Writes all users as JSON lines. They hold hashes of passwords: only you can read the file.`,
    file: ['[file]', 'where they will be (default: standard output)'],
    options: { '--force': 'replace the file if it is there, but never a users file' },
  },
  import: {
    does: `Signs up the users of an export, with the ids that they have. Who is there just the same is passed over,
so it may be repeated. Lines that are refused are told of, and the rest goes on; the exit code is then 1.`,
    file: ['[file]', 'the export (default: standard input)'],
    options: {
      '--dry-run': `check the lines alone, and change nothing: a store may still refuse them, if the name,
the address or the id is another user's`,
    },
  },
  upgrade: {
    does: `Makes ListUsers list the users that earlier releases have stored in a DynamoDB table. It may be repeated,
and run while servers run. A users file is upgraded when a server opens it.`,
    options: {},
  },
} as const satisfies Readonly<Record<DataCommand['name'], Usage>>;

const settingsText = `Which users: USERS_STORE, USERS_DATA, USERS_TABLE and DYNAMODB_ENDPOINT of the environment, as the server has
them. Exit code: 0; 1 if it failed; 64 if the command line is wrong.`;

type Name = keyof typeof usages;

/**
 * Reads the arguments: the name of a command, and its own.
 *
 * @returns the command, or the text of a help
 * @throws UsageError
 */
export function readCommandLine([name = '', ...args]: readonly string[]): DataCommand | string {
  if (name === '--help' || name === '-h') return `Commands: ${names}\n\n${settingsText}`;
  if (!isName(name)) {
    throw new UsageError(
      `${name === '' ? 'missing command' : `unknown command '${name}'`}: write one of ${names}`,
    );
  }
  const usage: Usage = usages[name];
  // Strict, it would tell of mistakes in words of its own.
  const { tokens } = parseArgs({ args, strict: false, allowPositionals: true, tokens: true });
  const files: string[] = [];
  const given = new Set<string>();
  for (const token of tokens) {
    if (token.kind === 'positional') files.push(token.value);
    if (token.kind !== 'option') continue;
    if (token.rawName === '--help' || token.rawName === '-h') return helpOf(name, usage);
    const isKnown = Object.hasOwn(usage.options, token.rawName) && token.value === undefined;
    if (!isKnown) throw new UsageError(`unknown option '${args[token.index]}'`);
    given.add(token.rawName);
  }
  const most = usage.file ? 1 : 0;
  if (files.length > most) {
    const expected = `Expected ${most} argument${most === 1 ? '' : 's'} but got ${files.length}: ${files.join(', ')}`;
    throw new UsageError(`too many arguments for '${name}'. ${expected}.`);
  }
  const [file = ''] = files;
  if (usage.file?.[0] === '<file>' && file === '') throw new UsageError(`missing required argument 'file'`);
  const force = given.has('--force');
  switch (name) {
    case 'backup':
    case 'restore':
      return { name, file, force };
    case 'export':
      return { name, file: file || '-', force };
    case 'import':
      return { name, file: file || '-', dryRun: given.has('--dry-run') };
    case 'upgrade':
      return { name };
  }
}

const names = Object.keys(usages).join(', ');

function isName(text: string): text is Name {
  return Object.hasOwn(usages, text);
}

/** As commander writes it. */
function helpOf(name: Name, { does, file, options }: Usage): string {
  const rows = (them: Readonly<Record<string, string>>) => {
    const width = Math.max(...Object.keys(all).map((it) => it.length)) + 2;
    return Object.entries(them).map(([term, text]) => {
      const indented = text.replaceAll('\n', `\n${' '.repeat(width + 2)}`);
      return `  ${term.padEnd(width)}${indented}`;
    });
  };
  const own = { ...options, '-h, --help': 'display help for command' };
  const all = { ...own, file: '' };
  const usage = ['Usage: users', name, '[options]', file?.[0]].filter(Boolean).join(' ');
  const about = file ? ['Arguments:', ...rows({ file: file[1] }), ''] : [];
  return [usage, '', does, '', ...about, 'Options:', ...rows(own), '', settingsText].join('\n');
}
