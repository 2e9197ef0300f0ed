import type { DescMessage, JsonObject, JsonValue } from '@bufbuild/protobuf';
import { isObject } from './json-text.ts';
import { isSecretMetadata } from './secret-name.ts';
import { command, quote, withOutput } from './shell.ts';
import { authorityFile, hasOwnAuthority, tokenFile, type WrittenCall } from './written-call.ts';

/** What a command of `users` gets besides what all of them do. */
interface Words {
  readonly name: string;
  /** Options, each quoted. */
  readonly options?: readonly string[];
  /** Names of users and the like, not quoted yet. */
  readonly positional?: readonly string[];
  /** Whether it reads a password. */
  readonly hasPassword?: boolean;
}

/** The call as a command of `users`, where one can say what the request says. */
export function usersCommand(call: WrittenCall): string | undefined {
  const { method, request, deadlineMs } = call;
  if (method.parent.typeName !== 'Users' || !isObject(request)) return undefined;
  const words = wordsOf[method.name]?.(byJsonName(method.input, request));
  if (words === undefined) return undefined;
  const { name, options = [], positional = [], hasPassword = false } = words;
  const marked = positional.some((it) => it.startsWith('-')) ? ['--', ...positional] : positional;
  return command(
    `npx users ${name}`,
    `--endpoint ${quote(call.endpoint)}`,
    hasOwnAuthority(call) ? `--ca ${authorityFile}` : '',
    deadlineMs === undefined ? '' : `--timeout ${deadlineMs}ms`,
    call.hasToken ? `--token-file ${tokenFile}` : '',
    ...call.metadata.map(([key, value]) =>
      isSecretMetadata(key)
        ? `--metadata ${withOutput(`${key}=`, `cat ${key}.txt`)}`
        : `--metadata ${quote(`${key}=${value}`)}`,
    ),
    ...options,
    // A password is read from a file, so that no list of processes shows it.
    [...(hasPassword ? ['--password-stdin'] : []), ...marked.map(quote)].join(' ') +
      (hasPassword ? ' < password.txt' : ''),
  );
}

/** How each method is asked for; `undefined` where a request says what no command does. */
const wordsOf: Readonly<Record<string, (request: JsonObject) => Words | undefined>> = {
  CreateUser({ username, email, password, requestId }) {
    if (typeof username !== 'string' || username === '') return undefined;
    const options = [...option('--email', email), ...option('--request-id', requestId)];
    return { name: 'create', options, positional: [username], hasPassword: Boolean(password) };
  },
  GetUsers({ user }) {
    if (!Array.isArray(user) || user.length === 0) return undefined;
    const positional = user.map((it) => nameOrId(it));
    return positional.includes('') ? undefined : { name: 'get', positional };
  },
  CheckPassword: ({ key, password }) => (password ? ofUser('check', key, { hasPassword: true }) : undefined),
  GetAccount: ({ key }) => ofUser('account', key),
  UpdateUser(request) {
    const { key, updateMask, etag, requestId } = request;
    const given = ['username', 'email', 'password'].filter((it) => request[it]);
    const paths = typeof updateMask === 'string' && updateMask !== '' ? updateMask.split(',') : given;
    const changes = paths.map((path) => {
      const value = request[path];
      if (path === 'username') return option('--name', value)[0];
      if (path === 'email') return option('--email', value)[0] ?? '--no-email';
      if (path === 'password') return value ? '' : '--no-password';
      return undefined;
    });
    if (paths.length === 0 || changes.includes(undefined)) return undefined;
    const options = [
      ...changes.map((it) => it ?? ''),
      ...option('--etag', etag),
      ...option('--request-id', requestId),
    ];
    return ofUser('update', key, {
      options,
      hasPassword: paths.includes('password') && Boolean(request.password),
    });
  },
  DeleteUser: ({ key, etag }) => ofUser('delete', key, { options: option('--etag', etag) }),
  ListUsers({ usernamePrefix, pageSize, pageToken }) {
    // It reads all pages from the first on.
    if (pageToken) return undefined;
    return {
      name: 'list',
      options: [...option('--prefix', usernamePrefix), `--limit ${Number(pageSize) || 100}`],
    };
  },
};

function ofUser(name: string, key: JsonValue | undefined, words: Partial<Words> = {}): Words | undefined {
  const email = isObject(key) ? key.email : undefined;
  const isAddress = typeof email === 'string' && email.includes('@');
  const who = isAddress ? email : nameOrId(key);
  return who === '' || (!isAddress && who.includes('@')) ? undefined : { name, positional: [who], ...words };
}

/** How the command takes a user by name or id; empty for what is neither. */
function nameOrId(user: JsonValue | undefined): string {
  if (!isObject(user)) return '';
  const { username, userId = user.user_id } = user;
  if (typeof username === 'string' && username !== '') {
    return /^\d+$|^name:/.test(username) ? `name:${username}` : username;
  }
  return userId ? String(userId) : '';
}

/** JSON has fields by two names each. */
function byJsonName({ fields }: DescMessage, request: JsonObject): JsonObject {
  const entries = Object.entries(request).map(([key, value]) => [
    fields.find(({ name }) => name === key)?.jsonName ?? key,
    value,
  ]);
  return Object.fromEntries(entries);
}

function option(name: string, value: JsonValue | undefined): string[] {
  return value ? [`${name} ${quote(String(value))}`] : [];
}
