import { isMetadataName } from './metadata-name.ts';
import { pythonCode, typescriptCode } from './programs.ts';
import { fillMarks, isSecretMetadata, markSecrets } from './secret-name.ts';
import { command, quote, withOutput } from './shell.ts';
import { usersCommand } from './users-command.ts';
import { withPaths } from './with-paths.ts';
import { authorityFile, hasOwnAuthority, tokenFile, type WrittenCall } from './written-call.ts';

/** The call as one tool takes it. */
export interface Written {
  readonly tool: string;
  readonly text: string;
  /** What the reader has to know besides. */
  readonly note?: string | undefined;
  /** Whether the request is too long for it, and is read from a file. */
  readonly isLong?: boolean;
}

const readToken = `cat ${tokenFile}`;

/** Of a request in a command: Linux takes 128 KiB in a word, other systems less in all. */
const maxCommandRequestBytes = 100_000;
/** Where a longer one is read from. */
const requestFile = 'request.json';

/**
 * Writes a call for every tool that can make it, to be copied into a shell or a file. Metadata whose name is none is
 * left out: it can't be sent, and a shell might read more than a name in it.
 */
export function writeCommands(given: WrittenCall): readonly Written[] {
  const metadata = given.metadata.filter(([name]) => isMetadataName(name));
  const call = { ...given, metadata };
  const { marked, names } = markSecrets(call.request);
  const safe: WrittenCall = { ...call, request: marked };
  const isLong = new TextEncoder().encode(JSON.stringify(marked)).length > maxCommandRequestBytes;
  const users = isLong ? undefined : usersCommand(call);
  const secrets = names.map((it) => `${it}.txt holds the ${it}.`);
  const notes = [hasOwnAuthority(call) && `${authorityFile} is the certificate of who signed the server’s.`];
  const long = isLong && `The request is too long for a command line: copy the JSON into ${requestFile}.`;
  // Whoever calls these has the code that a gRPC library brings, and none of this service's.
  const isOfGrpc = call.method.parent.typeName.startsWith('grpc.');
  const own = isOfGrpc && 'gRPC’s own services have no generated code here: ask them by buf curl or grpcurl.';
  const noted = (written: Written, ...more: readonly (string | false)[]): Written => ({
    ...written,
    note: [written.note, ...more, ...(written.isLong ? [] : secrets), ...notes].filter(Boolean).join(' '),
  });
  const tools = [
    noted({ ...bufCurl(safe, isLong), isLong }, long, own),
    noted(
      { ...grpcurl({ ...safe, request: withPaths(call.method.input, safe.request) }, isLong), isLong },
      long,
      own,
    ),
  ];
  if (users !== undefined) tools.push(noted({ tool: 'npx users', text: users }));
  if (isOfGrpc) return tools;
  return [
    ...tools,
    noted({ tool: 'TypeScript', text: typescriptCode(safe) }),
    noted({ tool: 'Python', text: pythonCode(safe) }),
  ];
}

function bufCurl(call: WrittenCall, isLong: boolean): Written {
  // buf reads each -H as a line of CSV: commas would end it, so what has one is quoted for CSV too.
  const csv = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const headers = headerWords(call, csv).map((it) => `-H ${it}`);
  // Without it, reflection would be asked without the token.
  const reflect = call.hasToken ? ["--reflect-header '*'"] : [];
  const isPlain = call.endpoint.startsWith('http:');
  const text = command(
    `npx buf curl ${isPlain ? '--http2-prior-knowledge ' : ''}--protocol grpc`,
    hasOwnAuthority(call) ? `--cacert ${authorityFile}` : '',
    ...headers,
    ...reflect,
    `-d ${isLong ? `@${requestFile}` : requestWord(call)}`,
    quote(`${call.endpoint}/${call.method.parent.typeName}/${call.method.name}`),
  );
  // It takes neither an option nor a header for one.
  const note =
    call.deadlineMs === undefined ? undefined : 'buf curl sends no deadline: the server’s default counts.';
  return { tool: 'buf curl', text, note };
}

function grpcurl(call: WrittenCall, isLong: boolean): Written {
  const { endpoint, deadlineMs, method } = call;
  const { host, protocol } = new URL(endpoint);
  const isPlain = protocol === 'http:';
  const port = /:\d+$/.test(host) ? '' : isPlain ? ':80' : ':443';
  const text = command(
    `grpcurl${isPlain ? ' -plaintext' : ''}${deadlineMs === undefined ? '' : ` -max-time ${deadlineMs / 1000}`}`,
    hasOwnAuthority(call) ? `-cacert ${authorityFile}` : '',
    ...headerWords(call).map((it) => `-H ${it}`),
    `-d ${isLong ? '@' : requestWord(call)}`,
    `${quote(host + port)} ${method.parent.typeName}/${method.name}${isLong ? ` < ${requestFile}` : ''}`,
  );
  return { tool: 'grpcurl', text };
}

/** A request as a word of a shell; its secrets come from files. */
function requestWord({ request }: WrittenCall): string {
  // The single quotes end, a word in double quotes comes, and they begin again.
  return fillMarks(quote(JSON.stringify(request)), (name) => `"'${withOutput('', `cat ${name}.txt`)}'"`);
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
