import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { CallError } from '../call/call-error.ts';
import { createUsersClient, type UsersClient } from '../client.ts';
import { codedError } from '../connection/handshake.ts';
import { TlsOptionError } from '../connection/trust.ts';
import { defaults } from '../defaults.ts';
import { type Protocol, protocols } from '../transport/transport.ts';
import { traceTo } from './trace.ts';

/** What every command takes, as commander leaves it. */
export interface GlobalOptions {
  readonly endpoint: string;
  readonly timeout?: number;
  readonly wait?: number;
  readonly metadata?: readonly Pair[];
  readonly metadataFile?: readonly Pair[];
  readonly protocol: Protocol;
  readonly http1?: true;
  readonly iam?: true;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly serverName?: string;
  readonly tokenFile?: string;
  readonly json?: true;
  readonly verbose?: true;
  readonly showSecrets?: true;
}

type Pair = readonly [key: string, value: string];

/** The command line can't be meant, or names a file that can't be read. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Adds the options that every command takes. */
export function addGlobalOptions(program: Command): Command {
  return program
    .addOption(
      new Option('--endpoint <url>', 'http://host:port, https://host:port or unix:/path')
        .default(defaults.endpoint)
        .env('USERS_ENDPOINT'),
    )
    .option(
      '--timeout <time>',
      'deadline of each call: 10ms, 5s, 2m (default: 30s); 0 leaves it to the server (30s)',
      parseTime,
    )
    .option('--wait <time>', 'wait so long for the server to be ready', parseTime)
    .option('--metadata <key=value>', 'metadata to send, repeatable; base64 for keys in -bin', addPair)
    .option('--metadata-file <file>', 'metadata from a file, one key=value a line', addPairsOf)
    .addOption(new Option('--protocol <name>', 'protocol').choices(protocols).default('grpc'))
    .option('--http1', 'HTTP/1.1 instead of HTTP/2, for grpc-web and connect')
    .addOption(new Option('--ca <file>', 'certificate authority to trust, PEM').env('USERS_CA'))
    .option('--cert <file>', 'certificate of the client, PEM')
    .option('--key <file>', 'key of that certificate, PEM')
    .addOption(
      new Option('--server-name <name>', 'name to call and to find in the certificate').env(
        'USERS_SERVER_NAME',
      ),
    )
    .option('--token-file <file>', 'file with the bearer token (or set USERS_TOKEN)')
    .option('--iam', 'sign calls for AWS (IAM), with the credentials that the AWS SDK finds')
    .option('--json', 'print what the method answers as JSON, a line each; list: a user each')
    .option('-v, --verbose', 'show headers and trailers; values that may be secrets are hidden')
    .addOption(new Option('--show-secrets', '--verbose with all values').implies({ verbose: true }));
}

/**
 * A client as the options say.
 *
 * @throws UsageError for what they can't mean
 */
export function openUsersClient(options: GlobalOptions): UsersClient {
  const token = options.tokenFile === undefined ? process.env.USERS_TOKEN : readToken(options.tokenFile);
  const tls = {
    ca: read('--ca', options.ca),
    cert: read('--cert', options.cert),
    key: read('--key', options.key),
  };
  try {
    return createUsersClient({
      endpoint: options.endpoint,
      protocol: options.protocol,
      httpVersion: options.http1 ? '1.1' : '2',
      tls,
      serverName: options.serverName || undefined,
      token: token || undefined,
      iam: options.iam && {},
      metadata: [...(options.metadataFile ?? []), ...(options.metadata ?? [])].map(([key, value]) => [
        key,
        value,
      ]),
      deadlineMs: options.timeout,
      interceptors: options.verbose ? [traceTo(process.stderr, options.showSecrets ?? false)] : [],
    });
  } catch (error) {
    if (error instanceof TlsOptionError) throw new UsageError(`--${error.option} ${error.problem}`);
    if (error instanceof CallError) throw new UsageError(error.rawMessage);
    if (error instanceof TypeError) throw new UsageError(error.message);
    throw error;
  }
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

function parseTime(text: string): number {
  const [, digits, unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? [];
  if (text !== '0' && digits === undefined) {
    throw new InvalidArgumentError('Write a number and its unit, such as 0.5ms, 10s or 2m.');
  }
  return Number(digits ?? 0) * (unitMs[unit] ?? 0);
}

function addPair(text: string, pairs: readonly Pair[] = []): readonly Pair[] {
  const pair = parsePair(text);
  if (!pair) throw new InvalidArgumentError('Write it as key=value.');
  return [...pairs, pair];
}

/** Empty lines and those that begin with # say nothing. */
function addPairsOf(file: string, pairs: readonly Pair[] = []): readonly Pair[] {
  const added: Pair[] = [];
  for (const [index, line] of readText('--metadata-file', file).split(/\r?\n/).entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    const pair = parsePair(line);
    // The line itself may be a secret.
    if (!pair) throw new UsageError(`--metadata-file ${file}, line ${index + 1}: write it as key=value`);
    added.push(pair);
  }
  return [...pairs, ...added];
}

function parsePair(text: string): Pair | undefined {
  const [, key, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  return key === undefined || value === undefined ? undefined : [key.trim(), value];
}

function readToken(file: string): string {
  const token = readText('--token-file', file).trim();
  if (token === '') throw new UsageError(`--token-file ${file} is empty`);
  return token;
}

function read(option: string, file: string | undefined): string | undefined {
  // An empty USERS_CA is none.
  return file ? readText(option, file) : undefined;
}

const fileProblems: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  EISDIR: 'is a folder',
  EACCES: 'may not be read',
};

function readText(option: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const problem = fileProblems[codedError(error)?.code ?? ''] ?? 'can not be read';
    throw new UsageError(`${option} ${file} ${problem}`);
  }
}
