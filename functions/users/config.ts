import { limits as defaults, type Limits } from '../limits.ts';
import { readLimits } from './config-limits.ts';
import { type StoreConfig, storeKinds } from './stores/registry.ts';

/** PEM files. With `clientCaFile`, only clients with a certificate of that authority are served. */
export interface TlsConfig {
  readonly certFile: string;
  readonly keyFile: string;
  readonly clientCaFile?: string;
}

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
const logFormats = ['json', 'pretty'] as const;

/** The settings of the Users function. */
export interface Config {
  readonly host: string;
  /** Zero takes a free one. */
  readonly port: number;
  readonly store: StoreConfig;
  /** Without it, connections are not encrypted. */
  readonly tls?: TlsConfig;
  /** Origins whose pages may call the service; `*` is every one. None: CORS is off. */
  readonly corsOrigins: readonly string[];
  readonly log: {
    readonly level: (typeof logLevels)[number];
    readonly format: (typeof logFormats)[number];
  };
  /** Whether to add the sample users at the start. */
  readonly samples: boolean;
  readonly limits: Limits;
}

/** Settings that can't be used, each with a line that says what it must be. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

/**
 * Reads the settings from environment variables; one that is empty counts as not set.
 *
 * HOST (127.0.0.1), PORT (50051), USERS_STORE (sqlite), USERS_DATA (./data), USERS_TABLE, DYNAMODB_ENDPOINT,
 * TLS_CERT_FILE, TLS_KEY_FILE, TLS_CLIENT_CA_FILE, CORS_ORIGINS, LOG_LEVEL (info), LOG_FORMAT (json),
 * USERS_SAMPLES (0), and every limit of `functions/limits.ts` under its name in upper case.
 *
 * @param checkTls what is wrong with the TLS files that are named, a line each; by default they are not looked at
 * @throws ConfigError with everything that is wrong
 */
export function readConfig(
  env: Readonly<Record<string, string | undefined>>,
  checkTls: (files: Partial<TlsConfig>) => readonly string[] = () => [],
): Config {
  const problems: string[] = [];
  const text = (name: string) => env[name] || undefined;
  const refuse = (name: string, expected: string) =>
    problems.push(`${name} must be ${expected}, not "${env[name]}"`);
  function choice<T extends string>(name: string, choices: readonly T[], fallback: T): T {
    const value = text(name) ?? fallback;
    const known = choices.find((one) => one === value);
    if (known === undefined) refuse(name, `one of ${choices.join(', ')}`);
    return known ?? fallback;
  }

  const host = text('HOST') ?? '127.0.0.1';
  if (/[\s/]/.test(host)) refuse('HOST', 'a host name or an IP address');
  const port = /^\d{1,5}$/.test(text('PORT') ?? '50051') ? Number(text('PORT') ?? 50051) : Number.NaN;
  if (!(port <= 65_535)) refuse('PORT', 'a whole number from 0 to 65535');
  const samples = choice('USERS_SAMPLES', ['0', '1'], '0') === '1';
  const log = {
    level: choice('LOG_LEVEL', logLevels, 'info'),
    format: choice('LOG_FORMAT', logFormats, 'json'),
  };

  const corsOrigins = (text('CORS_ORIGINS') ?? '').split(',').map((one) => one.trim());
  const origins = corsOrigins.filter((one) => one !== '');
  if (!origins.every((one) => one === '*' || isOrigin(one))) {
    refuse('CORS_ORIGINS', 'origins such as https://example.com, separated by commas');
  }

  const endpoint = text('DYNAMODB_ENDPOINT');
  if (endpoint !== undefined && !/^https?:$/.test(URL.parse(endpoint)?.protocol ?? '')) {
    refuse('DYNAMODB_ENDPOINT', 'an http or https URL');
  }
  const table = text('USERS_TABLE');
  const kind = choice('USERS_STORE', storeKinds, 'sqlite');
  const isKnown = kind === (text('USERS_STORE') ?? kind);
  if (kind === 'dynamodb' && table === undefined) {
    problems.push('USERS_TABLE must name the table that USERS_STORE=dynamodb uses');
  }
  // Silence would let users land in a file of a container that is thrown away.
  if (isKnown && kind !== 'dynamodb' && table !== undefined) {
    problems.push(`USERS_TABLE names a table, but USERS_STORE is ${kind}: set it to dynamodb`);
  }

  const certFile = text('TLS_CERT_FILE');
  const keyFile = text('TLS_KEY_FILE');
  const clientCaFile = text('TLS_CLIENT_CA_FILE');
  if (certFile && !keyFile) problems.push('TLS_CERT_FILE needs TLS_KEY_FILE, which is not set');
  if (keyFile && !certFile) problems.push('TLS_KEY_FILE needs TLS_CERT_FILE, which is not set');
  if (clientCaFile && !certFile) problems.push('TLS_CLIENT_CA_FILE needs TLS_CERT_FILE, which is not set');
  problems.push(...checkTls({ certFile, keyFile, clientCaFile }));

  const limits = readLimits(env, defaults, problems);
  if (kind === 'dynamodb' && limits.readChunkUsers > 100) {
    problems.push(
      'READ_CHUNK_USERS must be at most 100 with USERS_STORE=dynamodb, as BatchGetItem takes no more',
    );
  }

  if (problems.length > 0) throw new ConfigError(problems);
  return {
    host,
    port,
    store: storeConfig(kind, { table: table ?? '', endpoint, dataFolder: text('USERS_DATA') ?? './data' }),
    tls: certFile && keyFile ? { certFile, keyFile, clientCaFile } : undefined,
    corsOrigins: origins,
    log,
    samples,
    limits,
  };
}

function storeConfig(
  kind: StoreConfig['kind'],
  { table, endpoint, dataFolder }: { table: string; endpoint?: string; dataFolder: string },
): StoreConfig {
  switch (kind) {
    case 'memory':
      return { kind };
    case 'sqlite':
      return { kind, dataFolder };
    case 'dynamodb':
      return { kind, table, endpoint };
  }
}

/** Scheme, host and port as a browser sends them, and nothing else (RFC 6454 section 6.2). */
function isOrigin(text: string): boolean {
  const origin = URL.parse(text)?.origin;
  return origin !== 'null' && origin === text;
}
