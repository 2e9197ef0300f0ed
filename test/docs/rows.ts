// Names what a method, an error or a limit still lacks in the tables and tests that must have it, each in a line:
// npm run check. The compiler asks for the rest: the method itself, its scopes, its example.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { limits } from '../../functions/limits.ts';
import { rpcErrors } from '../../functions/rpc/errors.ts';
import { usersErrors } from '../../functions/users/errors.ts';
import { examples } from '../../functions/users/examples.ts';
import { methodScopes } from '../../functions/users/scopes.ts';
import { Users } from '../../proto/gen/users_pb.js';
import { page, rowsOf } from './tables.ts';

const root = join(import.meta.dirname, '../..');

/** What must have a row: where, the names, and what they are. */
type Table = readonly [file: string, rows: Iterable<string>, names: readonly string[], noun: string];

/**
 * The rows and files that are missing, a line for each.
 *
 * @param methods the names of all methods of Users. Default: those of the contract
 */
export function missingRows(methods: readonly string[] = Users.methods.map((it) => it.name)): string[] {
  const rowsIn = (file: string) => rowsOf(page(file)).map(([name = '']) => name);
  const paths = methods.map((it) => `/Users/${it}`);
  const errors = [...Object.keys(usersErrors), ...Object.keys(rpcErrors)];
  const tables: readonly Table[] = [
    ['functions/users/scopes.ts', Object.keys(methodScopes), paths, 'method'],
    ['functions/users/examples.ts', Object.keys(examples), methods.map((it) => `Users.${it}`), 'method'],
    ['docs/methods.md', rowsIn('methods.md'), methods, 'method'],
    ['docs/errors.md', rowsIn('errors.md'), errors, 'error'],
    ['docs/limits.md', rowsIn('limits.md'), Object.keys(limits), 'limit'],
  ];
  const rows = tables.flatMap(([file, found, names, noun]) => {
    const known = new Set(found);
    return names
      .filter((name) => !known.has(name))
      .map((name) => `${file}: add a row for the ${noun} ${name}`);
  });
  const tests = methods
    .map((name) => [name, `test/users/${kebab(name)}.test.ts`] as const)
    .filter(([, file]) => !existsSync(join(root, file)))
    .map(([name, file]) => `${file}: add the test of the method ${name}`);
  return [...rows, ...tests];
}

/** `GetUsers` is `get-users`. */
function kebab(name: string): string {
  return name.replaceAll(/(?<!^)[A-Z]/g, (it) => `-${it}`).toLowerCase();
}

if (import.meta.main) {
  const missing = missingRows();
  for (const line of missing) console.error(line);
  process.exitCode = missing.length > 0 ? 1 : 0;
}
