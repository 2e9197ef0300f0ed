import type { DescMethod, JsonValue } from '@bufbuild/protobuf';
import { isObject } from './json-text.ts';
import { isMetadataName } from './metadata-name.ts';
import { pythonCode, typescriptCode } from './programs.ts';
import { isSecretMetadata } from './secret-name.ts';
import { command, quote, withOutput } from './shell.ts';

/** A call to be written as a command. */
export interface WrittenCall {
  readonly method: DescMethod;
  readonly request: JsonValue;
  /** Where the server is, such as `http://127.0.0.1:50051`. */
  readonly endpoint: string;
  readonly metadata: readonly (readonly [name: string, value: string])[];
  readonly deadlineMs: number | undefined;
  /** Whether the call has a token. What it is nobody tells: commands read it from `key.txt`. */
  readonly hasToken: boolean;
}

/** The call as one tool takes it. */
export interface Written {
  readonly tool: string;
  readonly text: string;
  /** What the reader has to know besides. */
  readonly note?: string | undefined;
}

const tokenFile = 'key.txt';
const readToken = `cat ${tokenFile}`;

/**
 * Writes a call for every tool that can make it, to be copied into a shell or a file. Metadata whose name is none is left
 * out: it can't be sent, and a shell might read more than a name in it.
 */
export function writeCommands(given: WrittenCall): readonly Written[] {
  const metadata = given.metadata.filter(([name]) => isMetadataName(name));
  const call = { ...given, metadata };
  const users = usersCommand(call);
  return [
    bufCurl(call),
    grpcurl(call),
    ...(users === undefined ? [] : [{ tool: 'npx users', text: users, note: passwordNote(call) }]),
    { tool: 'TypeScript', text: typescriptCode(call) },
    { tool: 'Python', text: pythonCode(call) },
  ];
}

function bufCurl(call: WrittenCall): Written {
  // buf reads each -H as a line of CSV: commas would end it, so what has one is quoted for CSV too.
  const csv = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const headers = headerWords(call, csv).map((it) => `-H ${it}`);
  // Without it, reflection would be asked without the token.
  const reflect = call.hasToken ? ["--reflect-header '*'"] : [];
  const isPlain = call.endpoint.startsWith('http:');
  const text = command(
    `npx buf curl ${isPlain ? '--http2-prior-knowledge ' : ''}--protocol grpc`,
    ...headers,
    ...reflect,
    `-d ${quote(JSON.stringify(call.request))}`,
    quote(`${call.endpoint}/${call.method.parent.typeName}/${call.method.name}`),
  );
  // It takes neither an option nor a header for one.
  const note =
    call.deadlineMs === undefined ? undefined : 'buf curl sends no deadline: the server’s default counts.';
  return { tool: 'buf curl', text, note };
}

function grpcurl(call: WrittenCall): Written {
  const { endpoint, deadlineMs, method } = call;
  const { host, protocol } = new URL(endpoint);
  const isPlain = protocol === 'http:';
  const port = /:\d+$/.test(host) ? '' : isPlain ? ':80' : ':443';
  const text = command(
    `grpcurl${isPlain ? ' -plaintext' : ''}${deadlineMs === undefined ? '' : ` -max-time ${deadlineMs / 1000}`}`,
    ...headerWords(call).map((it) => `-H ${it}`),
    `-d ${quote(JSON.stringify(call.request))}`,
    `${quote(host + port)} ${method.parent.typeName}/${method.name}`,
  );
  return { tool: 'grpcurl', text };
}

/** The words of the headers; what may be secret is read from a file. */
function headerWords({ metadata, hasToken }: WrittenCall, encode = (text: string) => text): string[] {
  return [
    ...(hasToken ? [withOutput('authorization: Bearer ', readToken)] : []),
    ...metadata
      .filter(([name]) => !(hasToken && name.toLowerCase() === 'authorization'))
      .map(([name, value]) =>
        isSecretMetadata(name)
          ? withOutput(`${name}: `, `cat ${name}.txt`)
          : quote(encode(`${name}: ${value}`)),
      ),
  ];
}

/** `users create` or `users get`, where they can say what the request says. */
function usersCommand(call: WrittenCall): string | undefined {
  const { method, request, deadlineMs } = call;
  if (method.parent.typeName !== 'Users' || !isObject(request)) return undefined;
  const positional = (names: readonly string[]) =>
    names.some((it) => it.startsWith('-')) ? `-- ${names.map(quote).join(' ')}` : names.map(quote).join(' ');
  const options = [
    `--endpoint ${quote(call.endpoint)}`,
    ...(deadlineMs === undefined ? [] : [`--timeout ${deadlineMs}ms`]),
    ...(call.hasToken ? [`--token-file ${tokenFile}`] : []),
    ...call.metadata.map(([name, value]) =>
      isSecretMetadata(name)
        ? `--metadata ${withOutput(`${name}=`, `cat ${name}.txt`)}`
        : `--metadata ${quote(`${name}=${value}`)}`,
    ),
  ];
  if (method.name === 'CreateUser') {
    const { username, email, password, requestId } = request;
    if (typeof username !== 'string' || username === '') return undefined;
    return command(
      'npx users create',
      ...options,
      ...(email ? [`--email ${quote(String(email))}`] : []),
      ...(requestId ? [`--request-id ${quote(String(requestId))}`] : []),
      positional([username]) + (password ? ' --password-stdin < password.txt' : ''),
    );
  }
  if (method.name !== 'GetUsers') return undefined;
  const wanted = wantedUsers(request.user);
  return wanted && command('npx users get', ...options, positional(wanted));
}

/** A password is read from a file, so that no list of processes shows it. */
function passwordNote({ method, request }: WrittenCall): string | undefined {
  const hasPassword = method.name === 'CreateUser' && isObject(request) && Boolean(request.password);
  return hasPassword ? 'password.txt holds the password.' : undefined;
}

/** The users of a request as `users get` takes them; `undefined` when one is neither a name nor an id. */
function wantedUsers(users: JsonValue | undefined): string[] | undefined {
  if (!Array.isArray(users) || users.length === 0) return undefined;
  const wanted = users.map((user) => {
    if (!isObject(user)) return '';
    const { username, userId } = user;
    if (typeof username === 'string' && username !== '') {
      return /^\d+$|^name:/.test(username) ? `name:${username}` : username;
    }
    return userId ? String(userId) : '';
  });
  return wanted.includes('') ? undefined : wanted;
}
