import { type Limits, limits as limitDefaults, limitPairs, limitRanges } from '../limits.ts';
import { type AdminConfig, readAdminSettings } from '../process/admin-settings.ts';
import { type AuthConfig, readAuthSettings } from '../process/auth-settings.ts';
import { webFunctionVariable } from '../process/home.ts';
import { readLimits } from '../process/limit-settings.ts';
import { heldMemoryWithin, memoryLimitBytes } from '../process/memory.ts';
import { readTelemetrySettings, type TelemetryConfig } from '../process/otlp/settings.ts';
import { readServerSettings, type ServerConfig } from '../process/server-settings.ts';
import { type Environment, Settings } from '../process/settings.ts';
import type { TlsFiles } from '../process/tls-files.ts';
import { refuseWorkers } from '../process/worker-settings.ts';
import { scopeNames } from './scopes.ts';
import { type StoreConfig, storeKinds } from './stores/registry.ts';

/** The settings of the Users function. */
export interface Config extends ServerConfig {
  readonly auth: AuthConfig;
  /** Where the admin port listens. Default: there is none. */
  readonly admin: AdminConfig | undefined;
  readonly store: StoreConfig;
  /** Whether to add the sample users at the start. */
  readonly samples: boolean;
  readonly telemetry: TelemetryConfig;
  /** Whether `/` is the console. */
  readonly hasConsole: boolean;
  readonly limits: Limits;
  /** Variables whose name is nearly that of a setting: a line each, for the log. */
  readonly slips: readonly string[];
}

/**
 * Reads the settings from environment variables; one that is empty counts as not set.
 *
 * Those of every server (`functions/process/server-settings.ts`) and of who may call
 * (`functions/process/auth-settings.ts`), of the admin port (`functions/process/admin-settings.ts`), of telemetry
 * (`functions/process/otlp/settings.ts`), USERS_STORE (sqlite), USERS_DATA (./data), USERS_TABLE, DYNAMODB_ENDPOINT,
 * USERS_SAMPLES (0), CONSOLE (0), and every limit of `functions/limits.ts` under its name in upper case.
 *
 * @param checkTls returns what is wrong with the TLS files that are named, a line each. Default: nothing is checked
 * @throws ConfigError with everything that is wrong
 */
export function readConfig(
  env: Environment,
  checkTls?: (files: Partial<TlsFiles>) => readonly string[],
): Config {
  const settings = new Settings(env);
  const server = readServerSettings(settings, checkTls);
  const admin = readAdminSettings(settings, server);
  const store = readStore(settings);
  const samples = settings.flag('USERS_SAMPLES');
  const hasConsole = settings.flag('CONSOLE');
  if (store.kind === 'memory') {
    refuseWorkers(settings, 'USERS_STORE=memory', 'each worker would have users of its own');
  }
  if (hasConsole)
    refuseWorkers(settings, 'CONSOLE=1', 'it would show the calls of one worker alone; set CONSOLE=0');
  const defaults = { ...limitDefaults, ...heldMemoryWithin(memoryLimitBytes(), limitDefaults) };
  const limits = readLimits(settings, defaults, limitRanges, limitPairs);
  const auth = readAuthSettings(settings, server, scopeNames, limits);
  const telemetry = readTelemetrySettings(settings, 'users');
  if (store.kind === 'dynamodb' && limits.readChunkUsers > 100) {
    settings.problem(
      'READ_CHUNK_USERS must be at most 100 with USERS_STORE=dynamodb, as BatchGetItem takes no more',
    );
  }
  settings.check();
  return { ...server, auth, admin, store, samples, telemetry, hasConsole, limits, slips: settings.slips() };
}

/** The settings of a command that works on the store itself, without a server. */
export type StoreSettings = Pick<Config, 'store' | 'limits' | 'slips'>;

/**
 * Reads which store is meant, and the limits, as `readConfig` does; the other settings of a server do not matter.
 *
 * @throws ConfigError with everything that is wrong
 */
export function readStoreSettings(env: Environment): StoreSettings {
  const settings = new Settings(env);
  const store = readStore(settings);
  const limits = readLimits(settings, limitDefaults, limitRanges, limitPairs);
  settings.check();
  return { store, limits, slips: settings.slips() };
}

function readStore(settings: Settings): StoreConfig {
  const isWebFunction = settings.text(webFunctionVariable) !== undefined;
  settings.text('FUNCTION_TIMEOUT_MS'); // which `web-function.ts` reads
  const kind = settings.choice('USERS_STORE', storeKinds, isWebFunction ? 'dynamodb' : 'sqlite');
  if (isWebFunction && kind !== 'dynamodb') {
    settings.problem(
      `USERS_STORE must be dynamodb in a Web Function, not ${kind}: what it keeps itself goes with each environment`,
    );
  }
  const isKnown = kind === (settings.text('USERS_STORE') ?? kind);
  const dataFolder = settings.text('USERS_DATA') ?? './data';
  const table = settings.text('USERS_TABLE');
  const endpoint = settings.url('DYNAMODB_ENDPOINT');
  if (kind === 'dynamodb' && table === undefined) {
    settings.problem('USERS_TABLE must name the table that USERS_STORE=dynamodb uses');
  }
  // Silence would let users land in a file of a container that is thrown away.
  if (isKnown && kind !== 'dynamodb' && table !== undefined) {
    settings.problem(`USERS_TABLE names a table, but USERS_STORE is ${kind}: set it to dynamodb`);
  }
  switch (kind) {
    case 'memory':
      return { kind };
    case 'sqlite':
      return { kind, dataFolder };
    case 'dynamodb':
      return { kind, table: table ?? '', endpoint, ...(isWebFunction && { opensLate: true }) };
  }
}
